"""Pairs of images for runs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

Pair = tuple[Image, Image]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A slanted wall, 8 to 24 px of disparity, with noise of its own in each image."""
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 256, (120, 240), np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(np.arange(400, dtype=np.float32), np.arange(240, dtype=np.float32))
    left = cv2.remap(texture, x + 24, y, cv2.INTER_LINEAR)
    right = cv2.remap(texture, x + 24 + 8 + 16 * y / 240, y, cv2.INTER_LINEAR)
    noisy = [np.clip(image + rng.normal(0, 1.6, image.shape), 0, 255).astype(np.uint8) for image in (left, right)]
    return noisy[0], noisy[1]


@pytest.fixture
def rig() -> StereoCalibration:
    """A calibration for 400x300 px."""
    camera = CameraModel.pinhole(Size(400, 300), 300.0, 300.0, 199.5, 149.5)
    return StereoCalibration(camera, camera, Pose(np.eye(3), np.array([-0.1, 0.0, 0.0])))
