"""Stereo triangulation and projection: points that both cameras see, from pixels to metres and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.rectify import RectifiedRig


@dataclass(frozen=True, slots=True, eq=False)
class SeenPoints:
    """Correspondences: points of a first stereo pair and where they are in a second one."""

    pixels: FloatArray  # (N, 2) px, first left image
    disparity_px: FloatArray  # (N,) first pair; finite
    seen: FloatArray  # (N, 3) u, v, d px of the second pair; d is NaN where unknown

    def __len__(self) -> int:
        return len(self.pixels)

    def of(self, chosen: Mask) -> SeenPoints:
        return SeenPoints(self.pixels[chosen], self.disparity_px[chosen], self.seen[chosen])


def triangulate(pixels: FloatArray, disparity_px: FloatArray, rig: RectifiedRig) -> FloatArray:
    """Triangulated points (N, 3) in metres, left optical frame, of pixels (N, 2) with disparities (N,)."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    depth_m = rig.focal_px * rig.baseline_m / (disparity_px + rig.disparity_offset_px)
    rays = (pixels - np.array([rig.cx, rig.cy])) / rig.focal_px
    return np.column_stack([rays * depth_m[:, None], depth_m])


def project(points_m: FloatArray, rig: RectifiedRig) -> FloatArray:
    """Stereo projection: (..., 3) left optical frame -> (..., 3) u, v, d in px; NaN behind the camera."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    z = np.where(points_m[..., 2] > 1e-3, points_m[..., 2], np.nan)
    u = rig.focal_px * points_m[..., 0] / z + rig.cx
    v = rig.focal_px * points_m[..., 1] / z + rig.cy
    return np.stack([u, v, rig.focal_px * rig.baseline_m / z - rig.disparity_offset_px], axis=-1)
