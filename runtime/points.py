"""Back-projection of a depth map: points in the left optical frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask
from roma_device.calibration.rectify import RectifiedRig


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
