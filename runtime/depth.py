"""Depth: from disparity to metres, the one place where this is done; as 16 bit millimetres, and as points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage, Image, Mask
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


def valid_matches(matches: Matches, min_confidence: float | FloatImage, in_view: Mask | None = None) -> Mask:
    """(H, W): certain enough, with a partner inside the right image.

    A certainty of 0 is how decoders mark what the network did not tell: it is unknown at any threshold.
    ``in_view`` marks pixels of the rectified left image that the left camera really saw.
    """
    valid = (matches.certainty >= min_confidence) & (matches.certainty > 0) & has_partner(matches)
    return valid if in_view is None else valid & in_view


def has_partner(matches: Matches) -> Mask:
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


MAX_DEPTH_MM = 65535


def encode_depth_mm(depth_m: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Metres (H, W) -> millimetres (H, W), rounded to the nearest.

    What the format cannot say becomes 0 = unknown: values that are not finite, not positive, or
    beyond 65.535 m. A plain cast would wrap those, and a wall at 70 m become an obstacle at 4.5 m.
    """
    with np.errstate(over="ignore"):
        depth_mm = np.rint(np.asarray(depth_m, dtype=np.float64) * 1000)
    representable = (depth_mm > 0) & (depth_mm <= MAX_DEPTH_MM)
    return np.where(representable, depth_mm, 0).astype(np.uint16)


def decode_depth_mm(depth_mm: npt.NDArray[np.uint16]) -> FloatImage:
    """Millimetres (H, W) uint16 -> metres (H, W), NaN where unknown.

    Raises ValueError for any other type: 8 bit images come from readers that lost the depth.
    """
    if depth_mm.dtype != np.uint16:
        raise ValueError(f"depth in millimetres must be uint16, not {depth_mm.dtype}")
    return np.where(depth_mm == 0, np.nan, depth_mm / 1000).astype(np.float32)


class PointCloud(NamedTuple):
    """Points and their colours, one row each."""

    points_m: FloatImage  # (N, 3) x right, y down, z forward in the rectified left optical frame, metres
    colours: Image  # (N, 3) red, green, blue


def back_project(depth_m: FloatImage, known: Mask, bgr: Image, rig: RectifiedRig, stride: int = 1) -> PointCloud:
    """The known pixels (H, W), every ``stride``-th of each row and column; ``bgr`` is (H, W, 3).

    Raises ValueError for a rig without a focal length.
    """
    if rig.focal_px is None:
        raise ValueError("points need the rig's focal length")
    row, column = (stride * index for index in np.nonzero(known[::stride, ::stride]))
    points_m = np.empty((len(row), 3), np.float32)
    points_m[:, 2] = depth_m[row, column]
    points_m[:, 0] = (column - rig.cx) * points_m[:, 2] / rig.focal_px
    points_m[:, 1] = (row - rig.cy) * points_m[:, 2] / rig.focal_px
    return PointCloud(points_m, bgr[row, column, ::-1])
