"""Final refinement of the best hypothesis on all matches, and the state of the pose: ok, degraded or lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import Mask, Size
from roma_device.calibration.pose import Pose

from .motion import TwoViewMotion
from .orientation import HARDLY_KEPT, MIRRORED, TURNED_OVER, kept_orientation
from .ransac import is_by_chance
from .rays import RayPairs
from .refine import RefinedMotion, refine_motion
from .result import RelativePose
from .robust import INLIER_SIGMAS, TUKEY
from .sampson import sampson_px
from .triangulate import cheirality_score

LEAST_INLIERS = 15
SURE_RATIO = 0.5
"""Share of the matches that agree from which on it is no chance."""

LEAST_SPREAD_PX = 2.0
"""Standard deviation of the places of matches, along the way where it is least: what a network that knows nothing maps
to one spot agrees with many motions."""

SEEN_POINTS = 400
"""So many tell how matches are spread."""

NOTHING_KNOWN_DEG = 30.0
"""Standard deviation of a rotation that is not known."""

FINAL_STEPS = 4
GATE = 3 * TUKEY
"""Sigmas of the best hypothesis up to which a match takes part in the last refinement."""


@dataclass(frozen=True, slots=True)
class PoseLimits:
    """Thresholds on uncertainty, inlier ratio and cheirality beyond which a pose is called degraded."""

    rotation_deg: float = 1.0  # standard deviations
    direction_deg: float = 5.0
    inlier_ratio: float = 0.2
    in_front: float = 0.5  # see cheirality_score


DEFAULT_LIMITS = PoseLimits()


def finalize(
    rays: RayPairs,
    best: RefinedMotion,
    kept: Mask,
    rivals: list[TwoViewMotion],
    size_b: Size,
    limits: PoseLimits,
) -> RelativePose:
    """Refine the best hypothesis on all matches and judge the outcome.

    ``kept`` (N,): matches that may count; of these, those that are far off cost time and say nothing.
    """
    near = kept & (np.abs(sampson_px(rays, best.motion.essential)) < GATE * best.noise_px)
    part = rays.chosen(near)
    final = refine_motion(part, best.motion, best.noise_px, FINAL_STEPS)
    inliers = np.zeros(len(rays), bool)
    inliers[near] = final.inliers
    if (lost := _lost(rays, inliers, final.noise_px, size_b)) is not None:
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
    agreeing = part.chosen(final.inliers)
    seen = _seen(agreeing)
    kept_share = kept_orientation(seen.a, seen.b)
    if (nonsense := _nonsense(seen, pose, kept_share)) is not None:
        return RelativePose.lost(nonsense, len(rays))
    doubts = [MIRRORED] if kept_share < HARDLY_KEPT else []
    reasons = (*doubts, *_doubts(pose, cheirality_score(agreeing, final.motion), limits))
    return replace(pose, state="degraded", reasons=reasons) if reasons else pose


def _lost(rays: RayPairs, inliers: Mask, noise_px: float, size_b: Size) -> RelativePose | None:
    matches, count = len(rays), int(inliers.sum())
    if count < LEAST_INLIERS:
        return RelativePose.lost(f"{count} of {matches} matches agree, at least {LEAST_INLIERS} are needed", matches)
    if agrees_by_chance(rays, inliers, INLIER_SIGMAS * noise_px, size_b):
        return RelativePose.lost(f"{count} of {matches} matches agree, as many as would by chance", matches)
    return None


def _seen(agreeing: RayPairs) -> RayPairs:
    count = len(agreeing)
    return agreeing.chosen(np.linspace(0, count - 1, min(count, SEEN_POINTS)).astype(np.intp))


def _nonsense(agreeing: RayPairs, pose: RelativePose, kept_share: float) -> str | None:
    """Why the matches that agree, however many, mean nothing."""
    if agreeing.spread_px() < LEAST_SPREAD_PX:
        return "the matches of one image all lie on one spot or line"
    if kept_share < TURNED_OVER:
        return MIRRORED
    if (rotation := pose.rotation_sigma_deg or 0) > NOTHING_KNOWN_DEG:
        return f"the rotation is known to {rotation:.0f} deg only"
    return None


def agrees_by_chance(rays: RayPairs, inliers: Mask, distance_px: float, size_b: Size) -> bool:
    """Whether the consensus ``inliers`` (N,) means nothing.

    What a network matched in one area agrees or not as one: below SURE_RATIO the areas are counted too, as the
    thousands of matches of a network that knows nothing seem many. (Above it few areas, of a small overlap, are real.)
    """
    if is_by_chance(len(rays), int(inliers.sum()), distance_px, size_b):
        return True
    if rays.block is None or inliers.mean() >= SURE_RATIO:
        return False
    return is_by_chance(rays.areas(), rays.agreeing_areas(inliers), distance_px, size_b)


def _doubts(pose: RelativePose, in_front: float, limits: PoseLimits) -> Iterator[str]:
    if pose.alternatives:
        yield "another motion explains the matches as well (the scene is a plane, or some matches are wrong alike)"
    if pose.inlier_ratio < limits.inlier_ratio:
        yield f"only {100 * pose.inlier_ratio:.0f} % of the matches agree"
    if in_front < limits.in_front:
        yield "many points would lie behind a camera"
    if (rotation := pose.rotation_sigma_deg or 0) > limits.rotation_deg:
        yield f"the rotation is known to {rotation:.1f} deg only"
    if (direction := pose.direction_sigma_deg or 0) > limits.direction_deg:
        yield f"the direction is known to {direction:.1f} deg only"
