"""What every sink in SINKS must do."""

import contextlib
import errno
import io
import os
import shutil

import numpy as np
import pytest

from roma_device.app.sinks import SINKS, SinkError, disk_room, growing_file, open_sink
from roma_device.calibration.pose import Pose
from roma_device.runtime.pose_estimate import PoseEstimate
from tests.descriptors import no_descriptors

FILES = {
    "disparity": "{:06d}_disparity.pfm",
    "depth": "{:06d}_depth.png",
    "confidence": "{:06d}_confidence.png",
    "preview": "{:06d}_preview.png",
    "ply": "{:06d}.ply",
    "mcap": "results.mcap",
    "mcap-raw": "results-raw.mcap",
    "rosbag2": "rosbag2",
    "trajectory": "trajectory.tum",
    "results": "results.jsonl",
    "scan": "scan.jsonl",
    "grid": "{:06d}_grid.png",
}

POSE = PoseEstimate(0, "ok", (), 1, Pose.from_rotation_vector([0, 0, 0], [0, 0, 0]), np.eye(6), 100, 0.9)

OPTIONAL = {"mcap": "mcap", "mcap-raw": "mcap", "rosbag2": "rosbags"}
"""Sinks that need a package which a plain install does not bring."""

every_sink = pytest.mark.parametrize("name", list(SINKS))


@pytest.fixture(autouse=True)
def _package_is_there(request):
    name = request.node.callspec.params.get("name") if hasattr(request.node, "callspec") else None
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])


@every_sink
def test_writes_its_file_per_frame_and_nothing_else(tmp_path, make_result, name):
    with open_sink(name, tmp_path) as sink:
        for index in (0, 7, 1234567):
            sink.write(make_result(index))
    expected = {FILES[name].format(index) for index in (0, 7, 1234567)}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert all(path.stat().st_size > 0 for path in tmp_path.iterdir())


@every_sink
def test_images_are_rectified_only_where_they_are_drawn(tmp_path, make_result, name):
    result = make_result()
    with open_sink(name, tmp_path) as sink:
        sink.write(result)
    assert ("left" in vars(result.images)) == (name in ("preview", "ply", "mcap", "mcap-raw", "rosbag2"))


@every_sink
@pytest.mark.parametrize("grey", [True, False])
def test_takes_grey_and_colour_images(tmp_path, make_result, name, grey):
    with open_sink(name, tmp_path) as sink:
        sink.write(make_result(grey=grey))
    assert len(list(tmp_path.iterdir())) == 1


@every_sink
def test_takes_frames_in_which_nothing_is_known(tmp_path, make_result, name):
    result = make_result()
    result.valid[:] = False
    result.depth.depth_m[:] = float("nan")
    with open_sink(name, tmp_path) as sink:
        sink.write(result)
    assert len(list(tmp_path.iterdir())) == 1


@every_sink
def test_frames_without_metric_depth_are_no_error(tmp_path, make_result, name, log):
    with open_sink(name, tmp_path) as sink:
        for index in range(3):
            sink.write(make_result(index, metric=False))
    without_file = name in ("depth", "ply", "grid")
    assert bool(list(tmp_path.iterdir())) != without_file
    assert len(log) == (1 if without_file else 0)
    assert all("focal length and baseline" in line for line in log)


@every_sink
def test_does_not_change_the_result(tmp_path, make_result, name):
    result, untouched = make_result(3), make_result(3)
    with open_sink(name, tmp_path) as sink:
        sink.write(result)
    for one, other in (
        (result.matches.disparity_px, untouched.matches.disparity_px),
        (result.matches.certainty, untouched.matches.certainty),
        (result.depth.depth_m, untouched.depth.depth_m),
        (result.valid, untouched.valid),
        (result.images.left, untouched.images.left),
    ):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "name", [name for name in SINKS if name not in ("mcap", "mcap-raw", "rosbag2", "trajectory")]
)  # begun at once
def test_a_full_disk_is_one_sentence_and_the_next_frame_may_succeed(tmp_path, make_result, monkeypatch, name):
    class FullDisk(io.FileIO):
        full = False

        def write(self, data):
            if FullDisk.full:
                super().write(data[:5])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(growing_file, "FileIO", FullDisk)
    with open_sink(name, tmp_path) as sink:
        with monkeypatch.context() as full:
            full.setattr(os, "replace", refuse)
            full.setattr(FullDisk, "full", True)
            with pytest.raises(SinkError) as caught:
                sink.write(make_result(0))
        path = tmp_path / FILES[name].format(0)
        assert str(caught.value) == f"cannot write {path}: No space left on device"
        assert caught.value.exit_code == os.EX_IOERR
        assert not any(left.stat().st_size for left in tmp_path.iterdir())
        sink.write(make_result(1))
    assert (tmp_path / FILES[name].format(1)).stat().st_size > 0


@every_sink
def test_a_folder_that_vanishes_is_made_again(tmp_path, make_result, name):
    folder = tmp_path / "out"
    folder.mkdir()
    with open_sink(name, folder) as sink:
        sink.write(make_result(0, pose=POSE))
        shutil.rmtree(folder)
        sink.write(make_result(1, pose=POSE))
    assert (folder / FILES[name].format(1)).stat().st_size > 0


@every_sink
def test_a_folder_in_whose_place_a_file_stands_is_an_error_until_it_goes(tmp_path, make_result, name):
    folder = tmp_path / "out"
    folder.mkdir()
    with open_sink(name, folder) as sink:
        sink.write(make_result(0, pose=POSE))
        shutil.rmtree(folder)
        folder.write_text("in the way")
        with pytest.raises(SinkError, match=f"cannot write {folder}") as caught:
            sink.write(make_result(1, pose=POSE))
        assert caught.value.exit_code in (os.EX_CANTCREAT, os.EX_IOERR)
        folder.unlink()
        sink.write(make_result(2, pose=POSE))
    assert (folder / FILES[name].format(2)).stat().st_size > 0


@every_sink
def test_no_descriptors_left_is_an_error_for_as_long(tmp_path, make_result, name):
    """What is open goes on; what has to be opened does so when it can."""
    folder = tmp_path / "out"
    folder.mkdir()
    with open_sink(name, folder) as sink:
        sink.write(make_result(0, pose=POSE))
        with no_descriptors(), contextlib.suppress(SinkError):
            sink.write(make_result(1, pose=POSE))
        sink.write(make_result(2, pose=POSE))
    assert (folder / FILES[name].format(2)).stat().st_size > 0


@every_sink
def test_a_disk_is_not_filled_to_its_end(tmp_path, make_result, monkeypatch, name):
    with open_sink(name, tmp_path) as sink:
        with monkeypatch.context() as almost_full:
            almost_full.setattr(disk_room, "KEPT_BYTES", 1 << 60)
            almost_full.setattr(disk_room, "KEPT_SHARE", 1.0)
            almost_full.setattr(disk_room, "LOOK_S", 0.0)
            with pytest.raises(SinkError, match="MiB are left on the disk"):
                sink.write(make_result(0, pose=POSE))
        sink.write(make_result(1, pose=POSE))
    assert any(path.stat().st_size for path in tmp_path.iterdir())


def test_an_unknown_name_is_a_usage_error(tmp_path):
    with pytest.raises(SinkError, match="cannot save 'video'; known: disparity") as caught:
        open_sink("video", tmp_path)
    assert caught.value.exit_code == os.EX_USAGE
