"""Images of cameras that say how they were held."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.app.cameras.exif import orientation
from roma_device.app.cameras.images import read_image


def with_orientation(jpeg: bytes, turn: int, order: str) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, turn, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_are_read_as_opencv_shows_them(tmp_path: Path, turn: int, order: str) -> None:
    image = np.zeros((24, 40, 3), np.uint8)
    image[:12, :20] = 255
    image[:12, 20:] = 90
    jpeg = bytes(cv2.imencode(".jpg", image)[1])
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(jpeg, turn, order))
    assert orientation(path.read_bytes()) == turn
    assert np.array_equal(read_image(path), cv2.imread(str(path), cv2.IMREAD_COLOR))


@given(st.binary(max_size=200))
def test_what_is_damaged_says_nothing(noise: bytes) -> None:
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(noise) + 8) + b"Exif\0\0"
    assert 1 <= orientation(head + noise) <= 8
    assert orientation(noise) == 1 or noise.startswith(b"\xff\xd8")
