"""Keyframe tracking: points tracked or relocalized, RANSAC, robust refinement, plausibility."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .corner_grid import balanced_corners, spread
from .keyframe import Keyframe, RectifiedPair, seen_points
from .plausibility import RIVAL_SHARE, MotionPrediction, Support, Verdict, distance_in_sigmas, judge_support
from .ransac import ransac_motions
from .sparse_stereo import SeenPoints, refine_disparity, sample_disparity, triangulate
from .stereo_motion import StereoMotion, extend, refine_stereo_motion
from .trackers import Tracker

LEAST_POINTS = 12
"""Points without which no motion is looked for."""

WEAK_SHARE, EXPECTED_RATIO = 0.08, 0.3
"""Fewer points win, down to this share of the others, where their motion is that much nearer to the expected one: a
large thing that moves by itself has more texture than what stands still behind it."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """Motion from the keyframe to a frame with its verdict; no motion where the frame is lost."""

    verdict: Verdict
    current_from_key: Pose | None = None
    covariance: FloatArray | None = None  # (6, 6) of it, along the axes of the current left frame
    inliers: int = 0
    ratio: float = 0.0
    still: FloatArray | None = None  # (K, 2) px of the points that agree, where others have a motion of their own
    moving: FloatArray | None = None  # (L, 2) px of those others


Seed = tuple[int, int]
"""Of the random triples: every RANSAC of one frame draws the same ones."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackingSetup:
    """What all frames of a run have in common."""

    rig: RectifiedRig
    tracker: Tracker
    most_points: int


def track_keyframe(
    setup: TrackingSetup, key: Keyframe, pair: RectifiedPair, prediction: MotionPrediction, seed: Seed
) -> Tracked:
    """Track a keyframe into a pair, from where the motion is expected, else by relocalization."""
    found = Tracked(Verdict("lost", ("too few points to follow",)))
    for guess in _guesses(setup, key, pair, prediction, seed):
        points = _follow(setup, key, pair, guess)
        if len(points) < LEAST_POINTS:
            found = Tracked(Verdict("lost", (f"{len(points)} points could be followed",)))
            continue
        found = _motion(setup.rig, key, prediction, points, guess, seed)
        if found.current_from_key is not None:
            break
    return found


def _guesses(
    setup: TrackingSetup, key: Keyframe, pair: RectifiedPair, prediction: MotionPrediction, seed: Seed
) -> Iterator[Pose]:
    """Poses current_from_key, the likeliest first."""
    yield prediction.expected.inverse() @ key.odom_from_key
    which, places = key.recognized(pair.left, balanced_corners(pair.left, 2 * setup.most_points))
    if len(which) >= LEAST_POINTS:
        points = seen_points(key, which, places, np.full(len(which), np.nan))
        pose, agree = _consensus(points, setup.rig, Pose.identity(), seed)
        if agree.sum() >= LEAST_POINTS:
            yield refine_stereo_motion(points.of(agree), setup.rig, pose).second_from_first


def _consensus(points: SeenPoints, rig: RectifiedRig, guess: Pose, seed: Seed) -> tuple[Pose, Mask]:
    """The motion with the largest consensus in RANSAC, and its inliers (N,)."""
    return ransac_motions(points, rig, guess, np.random.default_rng(seed)).best


def _follow(setup: TrackingSetup, key: Keyframe, pair: RectifiedPair, guess: Pose) -> SeenPoints:
    """The keyframe's points in the pair, from where ``guess`` would have them."""
    predicted = key.predicted(guess, setup.rig)
    inside = np.isfinite(predicted[:, 0]) & (np.abs(predicted[:, :2] / setup.rig.size - 0.5) < 0.55).all(axis=1)
    which = np.flatnonzero(inside)
    places, good = setup.tracker.follow(key.image, pair.left, key.pixels[which], predicted[which, :2])
    which, places = which[good], places[good]
    if pair.dense_px is None:
        disparity_px = refine_disparity(pair.left, pair.right, places, np.maximum(predicted[which, 2], 0))
    else:
        disparity_px = sample_disparity(pair.dense_px, places)
    return seen_points(key, which, places, disparity_px)


def _motion(
    rig: RectifiedRig, key: Keyframe, prediction: MotionPrediction, points: SeenPoints, guess: Pose, seed: Seed
) -> Tracked:
    """The motion that most points agree on; where others agree on another one, that of both which is expected."""
    pose, agree = _consensus(points, rig, guess, seed)
    if agree.sum() < LEAST_POINTS:
        return Tracked(Verdict("lost", (f"{agree.sum()} of {len(points)} points agree on a motion",)))
    motion = refine_stereo_motion(points.of(agree), rig, pose)
    other, share = _rival(rig, points, agree, guess, seed)
    if other is not None and prediction.is_steady:
        far = [distance_in_sigmas(tried.second_from_first, guess, motion.covariance) for tried in (motion, other)]
        if far[1] < EXPECTED_RATIO * far[0]:
            motion, share = other, 1 / share
    return _judged(rig, key, prediction, points, extend(points, rig, motion), share)


def _rival(
    rig: RectifiedRig, points: SeenPoints, agree: Mask, guess: Pose, seed: Seed
) -> tuple[StereoMotion | None, float]:
    """The motion of those that do not agree, where they are many and have one, and their share of the others."""
    rest = points.of(~agree)
    if len(rest) < max(LEAST_POINTS, WEAK_SHARE * agree.sum()):
        return None, 0.0
    pose, others = _consensus(rest, rig, guess, seed)
    share = float(others.sum() / agree.sum())
    if others.sum() < LEAST_POINTS or share < WEAK_SHARE:
        return None, share
    return refine_stereo_motion(rest.of(others), rig, pose), share


def _judged(
    rig: RectifiedRig,
    key: Keyframe,
    prediction: MotionPrediction,
    points: SeenPoints,
    motion: StereoMotion,
    rival: float,
) -> Tracked:
    """The motion with its verdict, by its support and by what a rig can do."""
    count = int(motion.inliers.sum())
    ratio = count / len(points)
    covered = spread(points.seen[motion.inliers, :2], rig.size)
    depth_m = float(np.median(triangulate(points.pixels, points.disparity_px, rig)[:, 2]))
    sigma_m = float(np.sqrt(np.linalg.eigvalsh(motion.covariance[:3, :3])[-1]))
    by_itself = max(rival, key.moving_share)
    verdict = judge_support(Support(count, ratio, covered, by_itself, sigma_m / depth_m))
    if verdict.state == "lost":
        return Tracked(verdict, inliers=count, ratio=ratio)
    refusal = prediction.refuses(key.odom_from_key @ motion.second_from_first.inverse(), sigma_m)
    if refusal is not None:
        return Tracked(Verdict("lost", (refusal,)), inliers=count, ratio=ratio)
    if rival < RIVAL_SHARE:
        return Tracked(verdict, motion.second_from_first, motion.covariance, count, ratio)
    still, moving = points.seen[motion.inliers, :2], points.seen[~motion.inliers, :2]
    return Tracked(verdict, motion.second_from_first, motion.covariance, count, ratio, still, moving)
