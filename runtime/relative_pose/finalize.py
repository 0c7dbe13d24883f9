"""From the best hypothesis to the result: the last refinement, with all matches, and what is to be doubted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import Mask
from roma_device.calibration.pose import Pose
from roma_device.calibration.size import Size

from .motion import Motion
from .rays import RayPairs
from .refine import Refined, refine
from .result import RelativePose
from .robust import INLIER_SIGMAS, TUKEY
from .sampson import sampson_px
from .significance import is_by_chance
from .triangulate import front_score

LEAST_INLIERS = 15
FINAL_STEPS = 4
GATE = 3 * TUKEY
"""Deviations of the best hypothesis up to which a match takes part in the last refinement."""


@dataclass(frozen=True, slots=True)
class PoseLimits:
    """Beyond these a pose is called degraded."""

    rotation_deg: float = 1.0  # standard deviations
    direction_deg: float = 5.0
    inlier_ratio: float = 0.2
    in_front: float = 0.5  # see front_score


DEFAULT_LIMITS = PoseLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Makes the result from the best hypothesis, with all matches."""

    rays: RayPairs
    size_b: Size
    limits: PoseLimits

    def result(self, best: Refined, kept: Mask, rivals: list[Motion]) -> RelativePose:
        """``kept`` (N,): matches that may count; of these, those that are far off cost time and say nothing."""
        near = kept & (np.abs(sampson_px(self.rays, best.motion.essential)) < GATE * best.noise_px)
        part = self.rays.chosen(near)
        final = refine(part, best.motion, best.noise_px, FINAL_STEPS)
        inliers = np.zeros(len(self.rays), bool)
        inliers[near] = final.inliers
        if (lost := _lost(final, len(self.rays), self.size_b)) is not None:
            return lost
        pose = RelativePose(
            "ok",
            (),
            inliers,
            Pose(final.motion.rotation, final.motion.direction),
            final.covariance(part.block),
            final.noise_px,
            tuple(Pose(motion.rotation, motion.direction) for motion in rivals),
        )
        reasons = tuple(_doubts(pose, front_score(part.chosen(final.inliers), final.motion), self.limits))
        return replace(pose, state="degraded", reasons=reasons) if reasons else pose


def _lost(final: Refined, matches: int, size_b: Size) -> RelativePose | None:
    inliers = int(final.inliers.sum())
    if inliers < LEAST_INLIERS:
        return RelativePose.lost(f"{inliers} of {matches} matches agree, at least {LEAST_INLIERS} are needed", matches)
    if is_by_chance(matches, inliers, INLIER_SIGMAS * final.noise_px, size_b):
        return RelativePose.lost(f"{inliers} of {matches} matches agree, as many as would by chance", matches)
    return None


def _doubts(pose: RelativePose, in_front: float, limits: PoseLimits) -> Iterator[str]:
    if pose.alternatives:
        yield "the scene is a plane, and another motion explains it as well"
    if pose.inlier_ratio < limits.inlier_ratio:
        yield f"only {100 * pose.inlier_ratio:.0f} % of the matches agree"
    if in_front < limits.in_front:
        yield "many points would lie behind a camera"
    if (rotation := pose.rotation_deviation_deg or 0) > limits.rotation_deg:
        yield f"the rotation is known to {rotation:.1f} deg only"
    if (direction := pose.direction_deviation_deg or 0) > limits.direction_deg:
        yield f"the direction is known to {direction:.1f} deg only"
