"""Depth error by propagation of the calibration's covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.calibration.solver.bundle_adjustment import BundleState
from roma_device.calibration.solver.initial import cameras_of
from roma_device.calibration.solver.solve import StereoSolution
from roma_device.calibration.solver.uncertainty import propagated

DISTANCES_M = (1.0, 2.0, 5.0, 10.0)
FIELD = (0.2, 0.35, 0.5, 0.65, 0.8)
"""Where in the image depth is looked at, along x and y: not at the edge, where the lens is known least."""

WIDEST_SLOPE = 1.4
"""Rays farther than this from the axis (54 degrees) are left out: depth along the axis means little there."""

MATCHING_PX = 0.25
"""What a good matcher is off: the part of the error that no calibration removes."""


@dataclass(frozen=True, slots=True)
class DepthError:
    """Depth error at one distance: in 95 of 100 rigs calibrated like this one it is below."""

    distance_m: float
    percent: float
    matching_percent: float  # what a matching error of MATCHING_PX adds by itself

    @property
    def disparity_px(self) -> float:
        """The error of disparity that makes such an error of depth."""
        return MATCHING_PX * self.percent / self.matching_percent

    @property
    def cm(self) -> float:
        return self.percent * self.distance_m


def depth_errors(solution: StereoSolution, covariance: FloatArray, quantile: float) -> list[DepthError]:
    """Depth errors by propagation: median over the middle, times ``quantile`` of the unit normal or t distribution."""
    left, right = solution.cameras
    focal_px = (left.fx + left.fy + right.fx + right.fy) / 4
    baseline_m = float(np.linalg.norm(solution.right_from_left.translation_m))
    errors = []
    for distance_m in DISTANCES_M:
        sigma = propagated(solution, covariance, _DepthsSeen(solution, distance_m))
        percent = 100 * quantile * float(np.median(sigma)) / distance_m
        errors.append(DepthError(distance_m, percent, 100 * MATCHING_PX * distance_m / (focal_px * baseline_m)))
    return errors


class _DepthsSeen:
    """Depths (K,) that other unknowns give to what the solution sees at ``distance_m``."""

    def __init__(self, solution: StereoSolution, distance_m: float) -> None:
        self._solution = solution
        left, right = solution.cameras
        x, y = (share * (length - 1) for share, length in zip(np.meshgrid(FIELD, FIELD), solution.size, strict=True))
        rays = left.unproject(np.column_stack([x.ravel(), y.ravel()]))
        rays = rays[np.hypot(rays[:, 0], rays[:, 1]) < WIDEST_SLOPE]
        self._left = left.project(rays * distance_m)
        self._right = right.project(solution.right_from_left.apply(rays * distance_m))

    def __call__(self, state: BundleState) -> FloatArray:
        left, right = cameras_of(state.intrinsics, self._solution.size, self._solution.model)
        pose = state.from_first[0]
        return triangulated_depth_m(left.unproject(self._left), right.unproject(self._right) @ pose.rotation, pose)


def triangulated_depth_m(left_rays: FloatArray, right_rays: FloatArray, pose: Pose) -> FloatArray:
    """Triangulated depth (N,) along the left camera's axis where rays (N, 3), both in its frame, come closest.

    Least squares for ``a left - b right = centre of the right camera``.
    """
    inverse = pose.inverse()
    centre = inverse.translation_m
    ll, rr = (left_rays**2).sum(axis=1), (right_rays**2).sum(axis=1)
    lr = (left_rays * right_rays).sum(axis=1)
    lc, rc = left_rays @ centre, right_rays @ centre
    along = (lc * rr - rc * lr) / (ll * rr - lr**2)
    return np.asarray(along * left_rays[:, 2])
