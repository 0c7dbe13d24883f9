"""From disparity to metric depth: the one place where this is done."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask
from roma_device.calibration.rectify import RectifiedRig

from .types import DepthMap, Matches

RELOADABLE = {"reloadable": True}
"""Metadata of choices that may change between two frames."""


@dataclass(frozen=True, slots=True)
class DepthLimits:
    """What counts as a measurement. Raises ValueError for an empty range."""

    min_m: float = field(default=0.2, metadata=RELOADABLE)
    max_m: float = field(default=50.0, metadata=RELOADABLE)
    # least certainty, in [0, 1]; None: as the model's card says
    min_confidence: float | None = field(default=None, metadata=RELOADABLE)

    def __post_init__(self) -> None:
        if self.min_m >= self.max_m:
            raise ValueError(f"min_m {self.min_m:g} must be below max_m {self.max_m:g}")


def disparity_to_depth(disparity_px: FloatImage, rig: RectifiedRig) -> FloatImage:
    """``Z = f B / (d + doffs)`` in metres, (H, W); infinite where the disparity says infinity or beyond.

    Raises ValueError where the rig is not metric.
    """
    if rig.focal_px is None or rig.baseline_m is None:
        raise ValueError("metric depth needs focal length and baseline")
    shift_px = disparity_px + np.float32(rig.disparity_offset_px)
    depth_m = np.full(disparity_px.shape, np.inf, np.float32)
    np.divide(np.float32(rig.focal_px * rig.baseline_m), shift_px, out=depth_m, where=shift_px > 0)
    return depth_m


def valid_matches(matches: Matches, min_confidence: float, in_view: Mask | None = None) -> Mask:
    """(H, W): certain enough, with a partner inside the right image.

    ``in_view`` marks pixels of the rectified left image that the left camera really saw.
    """
    valid = (matches.certainty >= min_confidence) & _inside(matches)
    return valid if in_view is None else valid & in_view


def _inside(matches: Matches) -> Mask:
    """(H, W): the partner lies in the right image, which has the left one's size."""
    if matches.disparity_px is not None:
        columns = np.arange(matches.disparity_px.shape[1], dtype=np.float32)
        return np.asarray(matches.disparity_px <= columns)
    height, width = matches.certainty.shape
    x, y = matches.warp[..., 0], matches.warp[..., 1]
    return np.asarray((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))


def make_depth(matches: Matches, valid: Mask, rig: RectifiedRig, limits: DepthLimits, timestamp_ns: int) -> DepthMap:
    """Depth of the valid matches within the limits; all else is NaN and stays so."""
    if matches.disparity_px is None:
        raise ValueError("these matches hold no disparity")
    depth_m = disparity_to_depth(matches.disparity_px, rig)
    outside = ~(valid & (depth_m >= limits.min_m) & (depth_m <= limits.max_m))
    np.copyto(depth_m, np.float32(np.nan), where=outside)
    return DepthMap(depth_m, matches.certainty, timestamp_ns)
