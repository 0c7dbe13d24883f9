"""Laser scan out of depth: what a planar scanner at the left camera would see."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import AnyArray
from roma_device.runtime.obstacles.obstacle_map import ObstacleMap
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
    nearest_m[np.isinf(nearest_m)] = np.nan
    slopes = (np.arange(depth_m.shape[1]) - rig.cx) / focal_px
    angles = -np.arctan(slopes)  # positive to the left
    return _scan(header, angles, nearest_m * np.hypot(1, slopes), range_min_m, range_max_m)


def obstacle_scan(
    header: Header, obstacles: ObstacleMap, range_min_m: float = 0.05, range_max_m: float = 50.0
) -> LaserScan:
    """Distances on the ground to what stands on it, in a frame on the ground; inf: ground alone (REP 117)."""
    return _scan(header, obstacles.scan_rad, obstacles.scan_m, range_min_m, range_max_m)


def _scan(header: Header, angles: AnyArray, distance_m: AnyArray, least_m: float, most_m: float) -> LaserScan:
    """Beams out of directions from left to right; each has the nearest that is known, else inf or NaN.

    Beams are BEAM_RAD wide, or as wide as the directions are apart: none must fall between two of them.
    """
    beam_rad = max(float(BEAM_RAD), float(-np.diff(angles).min()))
    beams = max(1, int(np.ceil((angles[0] - angles[-1]) / beam_rad)))
    place = np.clip(((angles - angles[-1]) / beam_rad).astype(int), 0, beams - 1)
    ranges = np.full(beams, np.inf, np.float32)
    known = ~np.isnan(distance_m)
    np.minimum.at(ranges, place[known], distance_m[known].astype(np.float32))
    ranges[np.bincount(place[known], minlength=beams) == 0] = np.nan
    start = float(angles[-1] + beam_rad / 2)
    end = start + (beams - 1) * beam_rad
    return LaserScan(header, start, end, beam_rad, 0.0, 0.0, least_m, most_m, ranges)
