import struct

import numpy as np
import pytest

from roma_device.app.sinks import open_sink

FORMATS = {"float": "f", "uchar": "B"}


def parse_ply(data):
    """An independent little reader: (comments, list of dicts)."""
    head, _, body = data.partition(b"end_header\n")
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    (count,) = [int(line.split()[2]) for line in lines if line.startswith("element vertex")]
    properties = [line.split()[1:] for line in lines if line.startswith("property")]
    record = struct.Struct("<" + "".join(FORMATS[kind] for kind, _ in properties))
    assert len(body) == count * record.size
    names = [name for _, name in properties]
    comments = [line for line in lines if line.startswith("comment")]
    return comments, [dict(zip(names, values, strict=True)) for values in record.iter_unpack(body)]


@pytest.fixture
def write(tmp_path):
    def write(result):
        with open_sink("ply", tmp_path) as sink:
            sink.write(result)
        return parse_ply((tmp_path / f"{result.index:06d}.ply").read_bytes())

    return write


def test_points_are_the_known_pixels_back_projected_in_metres(write, make_result):
    result = make_result(2)
    _, points = write(result)
    assert len(points) == result.valid.sum()
    known = zip(*np.nonzero(result.valid), strict=True)
    for point, (row, column) in zip(points, known, strict=True):
        z = result.depth.depth_m[row, column]
        assert point["z"] == z
        assert 40.0 * point["x"] / z + 23.0 == pytest.approx(column, abs=1e-4)
        assert 40.0 * point["y"] / z + 15.5 == pytest.approx(row, abs=1e-4)
        blue, green, red = result.images.left[row, column]
        assert (point["red"], point["green"], point["blue"]) == (red, green, blue)


def test_x_is_right_y_is_down_z_is_forward_and_the_header_says_so(write, make_result):
    comments, points = write(make_result())
    assert any("x right, y down, z forward" in line and "metres" in line for line in comments)
    first, last = points[0], points[-1]
    assert first["x"] < 0 < last["x"]
    assert first["y"] < 0 < last["y"]
    assert min(point["z"] for point in points) > 0


def test_grey_images_give_grey_points(write, make_result):
    result = make_result(grey=True)
    _, points = write(result)
    assert points[0]["red"] == points[0]["green"] == points[0]["blue"] == result.images.left[0, 0]


def test_depth_that_is_not_positive_is_no_point(write, make_result):
    result = make_result()
    result.depth.depth_m[0, :3] = [0, -1, np.inf]
    _, points = write(result)
    assert len(points) == result.valid.sum() - 3


def test_an_empty_cloud_is_still_a_valid_file(write, make_result):
    result = make_result()
    result.valid[:] = False
    assert write(result)[1] == []
