"""Relative pose estimation: essential matrix by RANSAC, robust refinement, pure rotation, planar scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Mask, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs

from .finalize import DEFAULT_LIMITS, LEAST_INLIERS, PoseLimits, finalize
from .motion import TwoViewMotion
from .planar_scene import NOTHING_ELSE_SHARE, DominantPlane, find_dominant_plane
from .pure_rotation import PureRotation, fit_pure_rotation
from .ransac import THRESHOLD_PX, consensus_motion, is_by_chance
from .rays import RayPairs
from .refine import RefinedMotion, refine_motion
from .result import RelativePose
from .robust import INLIER_SIGMAS, cost_over_scales

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
SAME_DEG = 1.0
"""Motions that differ by less are one."""

RIVAL_COST = 12.0, 0.02
"""A rival within so many squared sigmas, and so many more per inlier, fits as well as the best."""

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
    result = _estimate(rays.chosen(finite), camera_b.size, seed, threshold_px, limits)
    inliers = np.zeros(len(pairs), bool)
    inliers[finite] = result.inliers
    return replace(result, inliers=inliers)


def _estimate(rays: RayPairs, size_b: Size, seed: int, threshold_px: float, limits: PoseLimits) -> RelativePose:
    matches = len(rays)
    if matches < LEAST_INLIERS:
        return RelativePose.lost(f"{matches} matches, at least {LEAST_INLIERS} are needed", matches)
    if (areas := rays.areas()) < LEAST_AREAS:
        seen = "one observation" if areas == 1 else f"{areas} observations"
        return RelativePose.lost(f"the {matches} matches are {seen}, at least {LEAST_AREAS} are needed", matches)
    few = rays.chosen(np.linspace(0, matches - 1, min(matches, CONSENSUS_POINTS)).astype(np.intp))
    best = _best_of(list(_hypotheses(few, seed, threshold_px)))
    if best is None:
        return RelativePose.lost("the matches agree on no motion", matches)
    pure_rotation = fit_pure_rotation(few.chosen(best.inliers), best.noise_px)
    if not pure_rotation.has_parallax(best.noise_px):
        return _rotation_only(rays, pure_rotation, best.noise_px, size_b)
    plane = find_dominant_plane(few.chosen(best.inliers), best.noise_px, seed)
    if plane is None:
        return finalize(rays, best, np.ones(matches, bool), [], size_b, limits)
    return finalize(rays, *_on_plane(rays, few, best, plane), size_b, limits)


def _hypotheses(rays: RayPairs, seed: int, threshold_px: float) -> Iterator[RefinedMotion]:
    for number in range(HYPOTHESES):
        motion = consensus_motion(rays, seed + number, threshold_px)
        if motion is None:
            continue
        yield (refined := refine_motion(rays, motion, steps=FIRST_STEPS))
        inliers = int(refined.inliers.sum())
        if inliers >= SURE_INLIERS and inliers > SURE_SHARE * len(rays):
            return


def _best_of(hypotheses: list[RefinedMotion]) -> RefinedMotion | None:
    return min(hypotheses, key=lambda motion: cost_over_scales(motion.distance_px, motion.weight > 0), default=None)


def _on_plane(
    rays: RayPairs, few: RayPairs, best: RefinedMotion, plane: DominantPlane
) -> tuple[RefinedMotion, Mask, list[TwoViewMotion]]:
    """Planar degeneracy: the best motion, which matches (N,) may count, and the other motions that the plane allows."""
    kept = np.ones(len(rays), bool)
    if nothing_else := bool(plane.holds(few.chosen(best.inliers)).mean() > NOTHING_ELSE_SHARE):
        kept, few = plane.holds(rays), few.chosen(plane.holds(few))
    found = [refine_motion(few, motion, best.noise_px) for motion in (best.motion, *plane.motions)]
    best = _best_of(found) or best
    others = [rival.motion for rival in found if nothing_else or _is_rival(rival, best)]
    return best, kept, _distinct(others, best.motion)


def _distinct(motions: list[TwoViewMotion], best: TwoViewMotion) -> list[TwoViewMotion]:
    """Those that differ from ``best`` and from each other."""
    kept = [best]
    for motion in motions:
        if all(max(motion.angles_deg(other)) > SAME_DEG for other in kept):
            kept.append(motion)
    return kept[1:]


def _is_rival(other: RefinedMotion, best: RefinedMotion) -> bool:
    margin = RIVAL_COST[0] + RIVAL_COST[1] * best.inliers.sum()
    return bool(other.cost_at(best.noise_px) - best.cost_at(best.noise_px) < margin)


def _rotation_only(rays: RayPairs, pure_rotation: PureRotation, noise_px: float, size_b: Size) -> RelativePose:
    """The result for a pure rotation, or for no motion at all."""
    whole = fit_pure_rotation(rays, noise_px, pure_rotation.rotation)
    inliers, matches = whole.agreeing(noise_px), len(rays)
    if is_by_chance(matches, int(inliers.sum()), INLIER_SIGMAS * noise_px, size_b):
        return RelativePose.lost("the matches agree on no motion", matches)
    pose = Pose(whole.rotation, np.zeros(3))
    if pose.angle_deg < NO_MOTION_DEG:
        return RelativePose.lost("both images show the same view: there is no motion to see", matches)
    reason = "the camera only turned: the direction of its translation is not known"
    return RelativePose("degraded", (reason,), inliers, pose, whole.covariance, noise_px)
