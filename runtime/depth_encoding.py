"""Depth as 16 bit millimetres (ROS 16UC1), where 0 means unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage

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
