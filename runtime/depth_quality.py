"""Depth quality without ground truth: fill, plane fit, temporal noise, sharpness at an edge, distance to a plane.

What is asked of depth cameras by their users (Intel's "Depth Quality Testing" names the same figures); the scene is a
flat, textured target in the region, and the camera stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Mask
from roma_device.calibration.rectify import RectifiedRig

LEAST_PIXELS = 100
BINS_M = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 50.0)
OUTLIERS = 3.5
"""Robust standard deviations beyond which a pixel is not of the plane."""

MAD_TO_SIGMA = 1.4826
LEAST_STEP_PX = 3.0
EDGE_REACH_PX = 12
LEAST_EDGES = 20


@dataclass(frozen=True, slots=True)
class NoiseAt:
    """Temporal noise of the pixels in a range of distance."""

    from_m: float
    to_m: float
    pixels: int
    disparity_px: float  # median over the pixels of the standard deviation over time
    depth_m: float


@dataclass(frozen=True, slots=True)
class DepthQuality:
    """Figures of a still scene; None where there is too little to tell them."""

    frames: int
    fill: float  # share of known pixels in the region, mean over the frames
    distance_m: float | None  # of the plane, along the optical axis through the region's middle
    plane_rms_px: float | None  # of disparity averaged over time, about the plane
    plane_rms_m: float | None  # the same as depth
    plane_outliers: float | None  # share of known pixels that do not lie on it
    tilt_deg: float | None  # of the plane against the image
    noise_px: float | None  # median over the region of disparity's standard deviation over time
    noise_m: float | None
    edge_px: float | None  # from 10 to 90 % of a depth edge's step, median over the whole image
    by_distance: tuple[NoiseAt, ...]  # of the whole image


def measure_quality(disparity_px: FloatImage, known: Mask, rig: RectifiedRig, region: Mask) -> DepthQuality:
    """From maps (N, H, W) of N frames; ``region`` (H, W) shows the plane. ``rig`` must be metric."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    shift_px = (disparity_px + np.float32(rig.disparity_offset_px)).astype(np.float64)
    steady = known.all(axis=0) & (shift_px > 0).all(axis=0)
    mean_px, noise_px = shift_px.mean(axis=0), _deviation(shift_px)
    to_depth_m = rig.focal_px * rig.baseline_m / np.maximum(mean_px, 1e-6) ** 2  # metres per px of disparity
    inside = steady & region
    plane = _plane(mean_px, inside, rig) if inside.sum() >= LEAST_PIXELS else None
    has_noise = len(shift_px) > 1 and inside.sum() >= LEAST_PIXELS
    return DepthQuality(
        frames=len(shift_px),
        fill=float(known[:, region].mean()),
        distance_m=None if plane is None else plane.distance_m,
        plane_rms_px=None if plane is None else plane.rms_px,
        plane_rms_m=None if plane is None else plane.rms_m,
        plane_outliers=None if plane is None else plane.outliers,
        tilt_deg=None if plane is None else plane.tilt_deg,
        noise_px=float(np.median(noise_px[inside])) if has_noise else None,
        noise_m=float(np.median((noise_px * to_depth_m)[inside])) if has_noise else None,
        edge_px=edge_width_px(mean_px, steady),
        by_distance=_by_distance(mean_px, noise_px, steady, rig) if len(shift_px) > 1 else (),
    )


def _deviation(values: FloatArray) -> FloatArray:
    """Standard deviation over the first axis, without bias in the variance."""
    return np.asarray(values.std(axis=0, ddof=1 if len(values) > 1 else 0))


@dataclass(frozen=True, slots=True)
class _Plane:
    distance_m: float
    rms_px: float
    rms_m: float
    outliers: float
    tilt_deg: float


def _plane(mean_px: FloatArray, inside: Mask, rig: RectifiedRig) -> _Plane:
    """By least squares in disparity, where a plane is linear in the pixel, on what lies on it."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    row, column = np.nonzero(inside)
    values = mean_px[inside]
    terms = np.column_stack([(column - rig.cx) / rig.focal_px, (row - rig.cy) / rig.focal_px, np.ones(len(row))])
    on_plane = np.ones(len(row), bool)
    for _ in range(5):
        plane = np.linalg.lstsq(terms[on_plane], values[on_plane], rcond=None)[0]
        error = values - terms @ plane
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(error))) + 1e-9
        on_plane = np.abs(error) < OUTLIERS * sigma
    focal_baseline = rig.focal_px * rig.baseline_m
    fitted = np.maximum(terms @ plane, 1e-6)
    middle = float(np.median(fitted))
    return _Plane(
        distance_m=focal_baseline / middle,
        rms_px=float(np.sqrt((error[on_plane] ** 2).mean())),
        rms_m=float(np.sqrt(((error * focal_baseline / fitted**2)[on_plane] ** 2).mean())),
        outliers=float(1 - on_plane.mean()),
        tilt_deg=float(np.degrees(np.arctan2(np.hypot(plane[0], plane[1]), abs(plane[2])))),
    )


def edge_width_px(mean_px: FloatArray, steady: Mask) -> float | None:
    """How many columns a depth edge takes from 10 to 90 % of its step; None where there are too few edges.

    Edges are rows' steps of LEAST_STEP_PX between surfaces that are even for some pixels on both sides.
    """
    reach = EDGE_REACH_PX
    step = mean_px[:, 1:] - mean_px[:, :-1]
    row, column = np.nonzero(np.abs(step) >= LEAST_STEP_PX / 2)
    inside = (column >= reach) & (column < mean_px.shape[1] - reach - 1)
    row, column = row[inside], column[inside]
    if len(row) == 0:
        return None
    around = column[:, None] + np.arange(-reach, reach + 2)
    profiles, are_known = mean_px[row[:, None], around], steady[row[:, None], around].all(axis=1)
    before, after = profiles[:, :4], profiles[:, -4:]
    height = after.mean(axis=1) - before.mean(axis=1)
    even = np.maximum(np.ptp(before, axis=1), np.ptp(after, axis=1)) < 0.1 * np.abs(height)
    usable = are_known & even & (np.abs(height) >= LEAST_STEP_PX)
    if usable.sum() < LEAST_EDGES:
        return None
    share = (profiles[usable] - before[usable].mean(axis=1)[:, None]) / height[usable][:, None]
    widths = [_crossing(one, 0.9) - _crossing(one, 0.1) for one in share]
    return float(np.median(np.maximum(widths, 0)))


def _crossing(share: FloatArray, level: float) -> float:
    """Where a rising profile first reaches ``level``, between its samples."""
    index = int(np.argmax(share >= level))
    if index == 0:
        return 0.0
    low, high = share[index - 1], share[index]
    return float(index - 1 + (level - low) / max(high - low, 1e-9))


def _by_distance(mean_px: FloatArray, noise_px: FloatArray, steady: Mask, rig: RectifiedRig) -> tuple[NoiseAt, ...]:
    assert rig.focal_px is not None and rig.baseline_m is not None
    depth_m = rig.focal_px * rig.baseline_m / np.maximum(mean_px, 1e-6)
    noise_m = noise_px * depth_m / np.maximum(mean_px, 1e-6)
    found = []
    for from_m, to_m in pairwise(BINS_M):
        pixels = steady & (depth_m >= from_m) & (depth_m < to_m)
        if (count := int(pixels.sum())) >= LEAST_PIXELS:
            noise = float(np.median(noise_px[pixels])), float(np.median(noise_m[pixels]))
            found.append(NoiseAt(from_m, to_m, count, *noise))
    return tuple(found)
