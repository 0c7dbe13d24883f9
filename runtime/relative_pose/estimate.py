"""Relative pose estimation: essential matrix by RANSAC, robust refinement, pure rotation, planar scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Mask, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs

from .finalize import DEFAULT_LIMITS, LEAST_INLIERS, PoseLimits, agrees_by_chance, finalize
from .focal_lengths import doubted_focal_lengths
from .misfits import doubted_cameras
from .motion import TwoViewMotion
from .planar_scene import NOTHING_ELSE_SHARE, DominantPlane, find_dominant_plane
from .pure_rotation import PureRotation, fit_pure_rotation
from .ransac import THRESHOLD_PX, consensus_motion, plain_motion
from .rays import RayPairs
from .refine import RefinedMotion, refine_motion
from .restarts import is_unsure, other_valleys
from .result import RelativePose, doubted_pose
from .rivals import DECISIVE, SAME_DEG, distinct, evidence, rivals_of
from .robust import INLIER_SIGMAS

CONSENSUS_POINTS = 500
"""More points make the search slower and not better: refinement takes all of them."""

HYPOTHESES = 3
SURE_INLIERS, SURE_SHARE = 300, 0.9
"""So many inliers of a hypothesis, and such a share of all: no need to look for another. In rooms made of planes two
thirds may agree on a motion that is wrong."""

LEAST_AREAS = 5
"""Areas with an error of their own (``PointPairs.block``) that matches must lie in: all matches of one are a single
observation, and five determine a motion."""

FIRST_STEPS = 4
NO_MOTION_DEG = 0.02


def estimate_relative_pose(
    pairs: PointPairs,
    camera_a: CameraModel,
    camera_b: CameraModel,
    seed: int = 0,
    threshold_px: float = THRESHOLD_PX,
    limits: PoseLimits = DEFAULT_LIMITS,
) -> RelativePose:
    """Estimate the pose of camera b relative to camera a, up to scale; the same input gives the same result.

    ``threshold_px``: what the search takes for noise of a match. Raises nothing for bad matches: they are "lost".
    """
    rays = RayPairs.of(pairs, camera_a, camera_b)
    finite = np.asarray(np.isfinite(rays.a).all(axis=0) & np.isfinite(rays.b).all(axis=0))
    used = rays.chosen(finite)
    result = _estimate(used, camera_b.size, seed, threshold_px, limits)
    result = doubted_cameras(doubted_focal_lengths(result, used), used, camera_a.size, camera_b.size)
    inliers = np.zeros(len(pairs), bool)
    inliers[finite] = result.inliers
    return doubted_pose(replace(result, inliers=inliers), pairs, camera_a.size, camera_b.size)


def _estimate(rays: RayPairs, size_b: Size, seed: int, threshold_px: float, limits: PoseLimits) -> RelativePose:
    matches = len(rays)
    if matches < LEAST_INLIERS:
        return RelativePose.lost(f"{matches} matches, at least {LEAST_INLIERS} are needed", matches)
    if (areas := rays.areas()) < LEAST_AREAS:
        seen = "one observation" if areas == 1 else f"{areas} observations"
        return RelativePose.lost(f"the {matches} matches are {seen}, at least {LEAST_AREAS} are needed", matches)
    few = rays.chosen(np.linspace(0, matches - 1, min(matches, CONSENSUS_POINTS)).astype(np.intp))
    hypotheses = list(_hypotheses(few, seed, threshold_px))
    best = _best_of(hypotheses)
    if best is None:
        return RelativePose.lost("the matches agree on no motion", matches)
    pure_rotation = fit_pure_rotation(few.chosen(best.inliers), best.noise_px)
    if not pure_rotation.has_parallax(best.noise_px):
        return _rotation_only(rays, pure_rotation, best.noise_px, size_b)
    hypotheses += other_valleys(few, best, pure_rotation.rotation)
    best = min(hypotheses, key=RefinedMotion.cost_over_scales)
    plane = find_dominant_plane(few.chosen(best.inliers), best.noise_px, seed)
    if plane is None:
        if len(hypotheses) > 1:
            hypotheses += _plain(few, hypotheses)
            best = min(hypotheses, key=RefinedMotion.cost_over_scales)
        rivals = rivals_of(best, hypotheses, few.block)
        return finalize(rays, best, np.ones(matches, bool), rivals, size_b, limits)
    hypotheses += _plain(few, hypotheses)
    return finalize(rays, *_on_plane(rays, few, hypotheses, plane), size_b, limits)


def _hypotheses(rays: RayPairs, seed: int, threshold_px: float) -> Iterator[RefinedMotion]:
    for number in range(HYPOTHESES):
        motion = consensus_motion(rays, seed + number, threshold_px)
        if motion is None:
            continue
        yield (refined := refine_motion(rays, motion, steps=FIRST_STEPS))
        inliers = int(refined.inliers.sum())
        if inliers >= SURE_INLIERS and inliers > SURE_SHARE * len(rays) and not is_unsure(refined, rays.block):
            return


def _plain(few: RayPairs, known: list[RefinedMotion]) -> list[RefinedMotion]:
    """What OpenCV's plain MAGSAC finds: a pose that is worse than this must not go without a word."""
    motion = plain_motion(few)
    is_new = motion is not None and all(max(motion.angles_deg(one.motion)) > SAME_DEG for one in known)
    return [refine_motion(few, motion, steps=FIRST_STEPS)] if motion is not None and is_new else []


def _best_of(hypotheses: list[RefinedMotion]) -> RefinedMotion | None:
    return min(hypotheses, key=RefinedMotion.cost_over_scales, default=None)


def _on_plane(
    rays: RayPairs, few: RayPairs, hypotheses: list[RefinedMotion], plane: DominantPlane
) -> tuple[RefinedMotion, Mask, list[TwoViewMotion]]:
    """Planar degeneracy: the best motion, which matches (N,) may count, and the other motions that the plane allows."""
    best = min(hypotheses, key=RefinedMotion.cost_over_scales)
    starts = [one.motion for one in hypotheses]
    if plane.holds(few.chosen(best.inliers)).mean() <= NOTHING_ELSE_SHARE:
        found = [*hypotheses, *(refine_motion(few, motion, best.noise_px) for motion in plane.motions)]
        best = min(found, key=RefinedMotion.cost_over_scales)
        return best, np.ones(len(rays), bool), rivals_of(best, found, few.block)
    # What is off the plane is too little to tell from wrong matches: it says nothing, and the plane allows all.
    few = few.chosen(plane.holds(few))
    allowed = [refine_motion(few, motion, best.noise_px) for motion in plane.motions]
    found = [*allowed, *(refine_motion(few, motion, best.noise_px) for motion in starts)]
    best = min(found, key=RefinedMotion.cost_over_scales)
    undecided = [one for one in found if evidence(best, one, few.block) < DECISIVE]
    return best, plane.holds(rays), distinct(best.motion, [one.motion for one in (*allowed, *undecided)])


def _rotation_only(rays: RayPairs, pure_rotation: PureRotation, noise_px: float, size_b: Size) -> RelativePose:
    """The result for a pure rotation, or for no motion at all."""
    whole = fit_pure_rotation(rays, noise_px, pure_rotation.rotation)
    inliers, matches = whole.agreeing(noise_px), len(rays)
    if agrees_by_chance(rays, inliers, INLIER_SIGMAS * noise_px, size_b):
        return RelativePose.lost("the matches agree on no motion", matches)
    pose = Pose(whole.rotation, np.zeros(3))
    if pose.angle_deg < NO_MOTION_DEG:
        return RelativePose.lost("both images show the same view: there is no motion to see", matches)
    reason = "the camera only turned: the direction of its translation is not known"
    return RelativePose("degraded", (reason,), inliers, pose, whole.covariance, noise_px)
