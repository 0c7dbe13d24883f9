"""Feature matching: what a mirrored image is told by."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Image
from roma_device.calibration.camera import CameraModel
from roma_device.runtime.matching.features import FeatureMatcher, OrbMatcher, SiftMatcher
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.fundamental import estimate_fundamental

CAMERA = CameraModel.pinhole((640, 480), 500, 500, 319.5, 239.5)  # type: ignore[arg-type]
BOTH = pytest.mark.parametrize("matcher", [SiftMatcher(), OrbMatcher()], ids=["sift", "orb"])


def facade(symmetry: float) -> Image:
    """Blots, and beside each as many that are its mirror image as ``symmetry`` says."""
    rng = np.random.default_rng(3)
    image = np.full((480, 640), 128, np.uint8)
    for _ in range(500):
        (x, y), (w, h) = rng.uniform([0, 0], [320, 480]), rng.uniform(4, 18, 2)
        angle, shade = rng.uniform(0, 180), int(rng.integers(0, 256))
        cv2.ellipse(image, ((x, y), (w, h), angle), shade, -1)
        if rng.random() < symmetry:
            cv2.ellipse(image, ((639 - x, y), (w, h), -angle), shade, -1)
        else:
            x, y = rng.uniform([320, 0], [640, 480])
            cv2.ellipse(image, ((x, y), (w, h), angle), shade, -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1), np.uint8)


def seen_from_aside(image: Image) -> Image:
    onto = np.array([[0.95, 0.02, 12], [-0.01, 0.97, 5], [5e-5, 2e-5, 1]])
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(cv2.warpPerspective(image, onto, (640, 480), borderValue=128) + noise, 0, 255).astype(np.uint8)


@BOTH
@pytest.mark.parametrize("symmetry", [0.0, 0.4])
def test_a_mirrored_image_is_told(matcher: FeatureMatcher, symmetry: float) -> None:
    image = facade(symmetry)
    other = seen_from_aside(image)
    usual = matcher.match(image, other)
    assert usual.doubt is None and len(usual) > 100
    for first, second in ((image, other[:, ::-1]), (image[:, ::-1], other), (image, other[::-1])):
        pairs = matcher.match(np.ascontiguousarray(first), np.ascontiguousarray(second))
        assert pairs.doubt is not None and "mirrored" in pairs.doubt
        for found in (estimate_relative_pose(pairs, CAMERA, CAMERA), estimate_fundamental(pairs, CAMERA.size)):
            assert found.state == "lost" or (found.state == "degraded" and pairs.doubt in found.reasons)


@BOTH
def test_images_with_nothing_in_common_are_not_called_mirrored(matcher: FeatureMatcher) -> None:
    other = np.random.default_rng(9).integers(0, 256, (60, 80), np.uint8)
    pairs = matcher.match(facade(0.0), cv2.resize(other, (640, 480), interpolation=cv2.INTER_CUBIC))
    assert pairs.doubt is None
