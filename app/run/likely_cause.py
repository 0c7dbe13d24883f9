"""Likely cause of a frame with few valid pixels, found by trying: one clause for one warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage
from roma_device.runtime.grey import grey
from roma_device.runtime.types import Result

LOOK, FEW = 0.5, 0.25
"""Valid shares of the pixels: below the first a cause is looked for, below the second also among those that a good
picture can have too."""

NONE_TO_SPEAK_OF = 0.05
"""Valid share below which the frame is warned of even if no cause shows."""

LONGEST_SIDE_PX = 640
FEATURES = 1500
LEAST_MATCHES = 25
BLANK_GREY = 3.0  # standard deviation of an image in which nothing is to be seen: sensor noise
SAME_SHARE = 0.04  # of an image's own contrast, by which two pictures of one may differ: noise, compression
AGREE = 0.6  # share of the matches that a cause has to explain
ROWS_PX = 1.5  # at LONGEST_SIDE_PX


def likely_cause(result: Result, came_rectified: bool) -> str | None:
    """What a frame's images say of why so few of its pixels are known; None where nothing shows.

    Tried in this order: covered, same image (both whatever the network made of it), rotated, swapped, rows off, unit of
    the baseline, another scene.
    """
    raw = [_small(grey(image)) for image in (result.frame.left.image, result.frame.right.image)]
    share = valid_share(result)
    if (cause := _covered(*raw) or _same(*raw)) is not None or share >= LOOK:
        return cause
    matches = _Matches(*(_small(image) for image in result.images.grey))
    checks: list[Callable[[], str | None]] = [
        matches.rotated,
        matches.swapped,
        lambda: matches.rows_off(result.frame.size[0], came_rectified),
    ]
    if share < FEW:
        checks += [lambda: _unit(result), matches.of_another_scene]
    return next((cause for check in checks if (cause := check()) is not None), None)


def valid_share(result: Result) -> float:
    """Share of the pixels with a value: depth where it is asked for, else a match."""
    return result.depth.valid_ratio if result.depth is not None else float(result.valid.mean())


def _small(image: GreyImage) -> GreyImage:
    scale = LONGEST_SIDE_PX / max(image.shape)
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _covered(left: GreyImage, right: GreyImage) -> str | None:
    dark = [name for name, image in (("left", left), ("right", right)) if _contrast(image) < BLANK_GREY]
    if len(dark) == 2:
        return "both images are blank: is there light, and are the lenses uncovered?"
    return f"the {dark[0]} image is blank: is its lens covered, or its camera unplugged?" if dark else None


def _contrast(image: GreyImage) -> float:
    return float(cv2.GaussianBlur(image, (0, 0), 2).std())


def _same(left: GreyImage, right: GreyImage) -> str | None:
    if left.shape != right.shape:
        return None
    soft, other = (cv2.GaussianBlur(image, (0, 0), 2).astype(np.float32) for image in (left, right))
    difference = float(np.abs(soft - other).mean())
    if difference > SAME_SHARE * min(_contrast(left), _contrast(right)):
        return None
    return "left and right are the same image, so there is no parallax: is one camera named twice?"


class _Matches:
    """Features of the left image found again anywhere in the right one, whichever way it is turned."""

    def __init__(self, left: GreyImage, right: GreyImage) -> None:
        detector: Any = cv2.ORB_create(FEATURES)  # type: ignore[attr-defined]
        (points, words), (other_points, other_words) = (
            detector.detectAndCompute(image, None) for image in (left, right)
        )
        self.features = min(len(points), len(other_points))
        pairs = []
        if self.features >= LEAST_MATCHES:
            found = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(words, other_words, k=2)
            pairs = [two[0] for two in found if len(two) == 2 and two[0].distance < 0.8 * two[1].distance]
        self.start = _array([points[pair.queryIdx].pt for pair in pairs])
        self.end = _array([other_points[pair.trainIdx].pt for pair in pairs])
        turns = [other_points[pair.trainIdx].angle - points[pair.queryIdx].angle for pair in pairs]
        self.turn_deg = np.asarray(turns) % 360
        self.size = left.shape[::-1]

    def _near(self, angle_deg: float) -> float:
        """Share of the matches turned by about ``angle_deg``."""
        apart = np.abs((self.turn_deg - angle_deg + 180) % 360 - 180)
        return float((apart < 20).mean()) if len(apart) else 0.0

    def rotated(self) -> str | None:
        if len(self.start) < LEAST_MATCHES or self._near(0) > 0.3:
            return None
        for angle_deg, words in ((180, "by 180 degrees"), (90, "by 90 degrees"), (270, "by 90 degrees")):
            if self._near(angle_deg) > AGREE:
                return f"one image is turned {words} against the other: is a camera mounted upside down or sideways?"
        return None

    def _on_rows(self) -> FloatArray:
        """Disparities (N,) of the matches that are upright and on about the same row."""
        apart = np.abs((self.turn_deg + 180) % 360 - 180)
        good = (apart < 20) & (np.abs(self.end[:, 1] - self.start[:, 1]) < 0.02 * self.size[1] + 2)
        return np.asarray((self.start[:, 0] - self.end[:, 0])[good])

    def swapped(self) -> str | None:
        disparity_px = self._on_rows()
        behind = float((disparity_px < -0.5).mean()) if len(disparity_px) >= LEAST_MATCHES else 0.0
        if behind < AGREE or (disparity_px > 0.5).mean() > 0.5 * (1 - AGREE):
            return None
        return "left and right look swapped: near things lie farther left in the left image than in the right one"

    def rows_off(self, width_px: int, came_rectified: bool) -> str | None:
        """``width_px``: of the camera's images."""
        scale = width_px / self.size[0]
        apart = np.abs((self.turn_deg + 180) % 360 - 180) < 20
        offsets = (self.end - self.start)[apart, 1]
        if len(offsets) < LEAST_MATCHES:
            return None
        centre = float(np.median(offsets))
        typical = float(np.median(np.abs(offsets)))
        near = float((np.abs(offsets - centre) < 0.08 * self.size[1]).mean())
        if typical < ROWS_PX or near < AGREE:
            return None
        cure = (
            "the pairs are not rectified: they need the rig's calibration"
            if came_rectified
            else "the calibration is of another rig, or no longer true (roma-device calibrate check)"
        )
        return f"rows of left and right differ by about {scale * typical:.0f} px: {cure}"

    def of_another_scene(self) -> str | None:
        if self.features < LEAST_MATCHES:
            return "there is hardly any texture in the images: too dark, out of focus, or a blank wall?"
        if len(self._on_rows()) < LEAST_MATCHES:
            return "left and right do not look like one scene at one time: are they a pair?"
        return None


def _array(points: list[tuple[float, float]]) -> FloatArray:
    return np.asarray(points, np.float64).reshape(-1, 2)


def _unit(result: Result) -> str | None:
    """Matches are many, but hardly any of their depths counts."""
    rig, disparity_px = result.rig, result.matches.disparity_px
    if rig is None or disparity_px is None or result.depth is None or result.valid.mean() < LOOK:
        return None
    if rig.focal_px is None or rig.baseline_m is None:
        return None
    shift_px = float(np.median(disparity_px[result.valid])) + rig.disparity_offset_px
    if shift_px <= 0:
        return "most disparities are zero or less: is the offset of the principal points (doffs) right?"
    return (
        f"most depths are about {rig.focal_px * rig.baseline_m / shift_px:.3g} m, outside of what counts "
        f"(depth.min_m, max_m): is the baseline of {rig.baseline_m:.4g} m, and the focal length of "
        f"{rig.focal_px:.5g} px, in the right unit?"
    )
