"""Laser scan out of depth: what a planar scanner at the left camera would see."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.types import Result

from .types import Header, LaserScan

ROWS = 10
"""Rows above and below the optical axis that count, px of a rectified image."""

BEAM_RAD = np.deg2rad(0.5)


def laser_scan(header: Header, result: Result, range_min_m: float = 0.2, range_max_m: float = 50.0) -> LaserScan:
    """The nearest depth of each beam within ROWS of the axis, in a frame with x forward (REP 103).

    A beam in which nothing is known is NaN (REP 117): unknown is not free. Method: depthimage_to_laserscan.
    """
    assert result.depth is not None and result.rig is not None and result.rig.focal_px is not None
    rig, depth_m, focal_px = result.rig, result.depth.depth_m, result.rig.focal_px
    middle = int(np.clip(round(rig.cy), 0, depth_m.shape[0] - 1))
    band = np.where(result.known, depth_m, np.inf)[max(0, middle - ROWS) : middle + ROWS + 1]
    nearest_m = band.min(axis=0)
    slopes = (np.arange(depth_m.shape[1]) - rig.cx) / focal_px
    angles = -np.arctan(slopes)  # positive to the left
    beams = max(1, int(np.ceil((angles[0] - angles[-1]) / BEAM_RAD)))
    place = np.clip(((angles - angles[-1]) / BEAM_RAD).astype(int), 0, beams - 1)
    ranges = np.full(beams, np.inf, np.float32)
    np.minimum.at(ranges, place, (nearest_m * np.hypot(1, slopes)).astype(np.float32))
    ranges[~np.isfinite(ranges)] = np.nan
    start = float(angles[-1] + BEAM_RAD / 2)
    end = start + (beams - 1) * float(BEAM_RAD)
    return LaserScan(header, start, end, float(BEAM_RAD), 0.0, 0.0, range_min_m, range_max_m, ranges)
