"""Files that the cameras read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Image

WriteVideo = Callable[[str, int, tuple[int, int]], Path]


def numbered_image(number: int, size: tuple[int, int] = (48, 32)) -> Image:
    """A smooth colour image (H, W, 3) whose brightness tells its number, even after lossy compression."""
    width, height = size
    image = np.full((height, width, 3), 20 + 8 * (number % 25), np.uint8)
    image[:, :, 2] = np.linspace(0, 60, width, dtype=np.uint8)
    return image


@pytest.fixture
def image_folders(tmp_path: Path) -> Path:
    """A folder with left/ and right/, three PNG files each, in a path with a space; right is brighter by 5."""
    folder = tmp_path / "my pairs"
    for side, brighter in (("left", 0), ("right", 5)):
        (folder / side).mkdir(parents=True)
        for number in (2, 10, 1):
            cv2.imwrite(str(folder / side / f"{side}{number}.png"), numbered_image(number) + np.uint8(brighter))
    return folder


@pytest.fixture
def write_video(tmp_path: Path) -> WriteVideo:
    """Writes an MJPG file of that name, number of frames and size, at 25 frames per second."""

    def write(name: str, frames: int, size: tuple[int, int]) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, size)
        assert writer.isOpened()
        for number in range(frames):
            writer.write(numbered_image(number, size))
        writer.release()
        return path

    return write
