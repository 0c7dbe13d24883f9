import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from roma_device.app.sinks.pfm import encode_pfm, read_pfm

LITTLE = b"Pf\n2 3\n-1.0\n" + struct.pack("<6f", 5, 6, 3, 4, 1, float("inf"))
"""Bottom row first: 5 6 / 3 4 / 1 inf."""
VALUES = np.array([[1, np.inf], [3, 4], [5, 6]], np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.pfm"


def test_bytes_are_those_of_a_hand_made_file():
    assert encode_pfm(VALUES) == LITTLE


def test_reads_a_hand_made_little_endian_file(path):
    path.write_bytes(LITTLE)
    values = read_pfm(path)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert values.flags.writeable
    np.testing.assert_array_equal(values, VALUES)


@pytest.mark.parametrize("head", [b"Pf\n2 3\n1.0\n", b"Pf\r\n2 3\r\n1\r\n", b"Pf 2 3 0.003922\n", b"Pf\n2\n3\n1e0\n"])
def test_reads_big_endian_files_and_ignores_the_size_of_the_scale(path, head):
    path.write_bytes(head + struct.pack(">6f", 5, 6, 3, 4, 1, float("inf")))
    np.testing.assert_array_equal(read_pfm(path), VALUES)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(width=32))
)
def test_values_survive_writing_and_reading(path, values):
    path.write_bytes(encode_pfm(values))
    np.testing.assert_array_equal(read_pfm(path), values)


def test_colour_is_refused(path):
    path.write_bytes(b"PF\n1 1\n-1.0\n" + bytes(12))
    with pytest.raises(ValueError, match="colour"):
        read_pfm(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a PFM"),
        (b"P5\n2 3\n255\n" + bytes(6), "not a PFM"),
        (b"Pf\n2 3\n", "not a PFM"),
        (b"Pf\n-2 3\n-1.0\n", "not a PFM"),
        (LITTLE[:-1], "23 bytes of pixels, but 2x3 px take 24"),
        (LITTLE + b"\n", "25 bytes"),
        (b"Pf\n999999999 999999999\n-1.0\n", "0 bytes"),
        (b"Pf\n2 3\n0.0\n" + bytes(24), "scale"),
        (b"Pf\n2 3\n1.2.3\n" + bytes(24), "scale"),
    ],
)
def test_damaged_files_are_refused_by_name(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_pfm(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("shape", [(4,), (2, 2, 3)])
def test_only_images_with_one_channel_are_written(shape):
    with pytest.raises(ValueError, match="grey PFM"):
        encode_pfm(np.zeros(shape))
