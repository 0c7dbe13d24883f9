"""The motion from a keyframe to a frame: its points followed or recognized, hypotheses, refinement, judgement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .constant_velocity import MotionPrior
from .corner_grid import balanced_corners, spread
from .keyframe import Keyframe, seen_points
from .plausibility import RIVAL_SHARE, Support, Verdict, distance, judge_support
from .ransac import propose
from .rectified_pair import RectifiedPair
from .sparse_stereo import refine_disparity, sample_disparity
from .stereo_motion import Motion, extend, refine
from .stereo_points import SeenPoints, triangulate
from .trackers import Tracker

LEAST_POINTS = 12
"""Points without which no motion is looked for."""

WEAK_SHARE, EXPECTED_RATIO = 0.08, 0.3
"""Fewer points win, down to this share of the others, where their motion is that much nearer to the expected one: a
large thing that moves by itself has more texture than what stands still behind it."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What one look at a frame gave."""

    verdict: Verdict
    current_from_key: Pose | None = None
    covariance: FloatArray | None = None  # (6, 6) of it, along the axes of the current left frame
    inliers: int = 0
    ratio: float = 0.0
    still: FloatArray | None = None  # (K, 2) px of the points that agree, where others have a motion of their own
    moving: FloatArray | None = None  # (L, 2) px of those others


@dataclass(frozen=True, slots=True, eq=False)
class KeyframeTracking:
    """One look at one frame."""

    rig: RectifiedRig
    tracker: Tracker
    most_points: int
    seed: tuple[int, int]  # of the random triples
    key: Keyframe
    pair: RectifiedPair
    prior: MotionPrior

    def result(self) -> Tracked:
        """From where the motion is expected, else by recognizing the keyframe."""
        found = Tracked(Verdict("lost", ("too few points to follow",)))
        for guess in self._guesses():
            points = self._follow(guess)
            if len(points) < LEAST_POINTS:
                found = Tracked(Verdict("lost", (f"{len(points)} points could be followed",)))
                continue
            found = self._motion(points, guess)
            if found.current_from_key is not None:
                break
        return found

    def _guesses(self) -> Iterator[Pose]:
        """Poses current_from_key, the likeliest first."""
        yield self.prior.expected.inverse() @ self.key.odom_from_key
        which, places = self.key.recognized(self.pair.left, balanced_corners(self.pair.left, 2 * self.most_points))
        if len(which) >= LEAST_POINTS:
            points = seen_points(self.key, which, places, np.full(len(which), np.nan))
            pose, agree = propose(points, self.rig, Pose.identity(), self._random()).best
            if agree.sum() >= LEAST_POINTS:
                yield refine(points.of(agree), self.rig, pose).second_from_first

    def _follow(self, guess: Pose) -> SeenPoints:
        """The keyframe's points in the pair, from where ``guess`` would have them."""
        key, pair = self.key, self.pair
        predicted = key.predicted(guess, self.rig)
        inside = np.isfinite(predicted[:, 0]) & (np.abs(predicted[:, :2] / self.rig.size - 0.5) < 0.55).all(axis=1)
        which = np.flatnonzero(inside)
        places, good = self.tracker.follow(key.image, pair.left, key.pixels[which], predicted[which, :2])
        which, places = which[good], places[good]
        if pair.dense_px is None:
            disparity_px = refine_disparity(pair.left, pair.right, places, np.maximum(predicted[which, 2], 0))
        else:
            disparity_px = sample_disparity(pair.dense_px, places)
        return seen_points(key, which, places, disparity_px)

    def _motion(self, points: SeenPoints, guess: Pose) -> Tracked:
        """The motion that most points agree on; where others agree on another one, that of both which is expected."""
        pose, agree = propose(points, self.rig, guess, self._random()).best
        if agree.sum() < LEAST_POINTS:
            return Tracked(Verdict("lost", (f"{agree.sum()} of {len(points)} points agree on a motion",)))
        motion = refine(points.of(agree), self.rig, pose)
        other, share = self._rival(points, agree, guess)
        if other is not None and self.prior.is_steady:
            far = [distance(each.second_from_first, guess, motion.covariance) for each in (motion, other)]
            if far[1] < EXPECTED_RATIO * far[0]:
                motion, share = other, 1 / share
        return self._judged(points, extend(points, self.rig, motion), share)

    def _rival(self, points: SeenPoints, agree: Mask, guess: Pose) -> tuple[Motion | None, float]:
        """The motion of those that do not agree, where they are many and have one, and their share of the others."""
        rest = points.of(~agree)
        if len(rest) < max(LEAST_POINTS, WEAK_SHARE * agree.sum()):
            return None, 0.0
        pose, others = propose(rest, self.rig, guess, self._random()).best
        share = float(others.sum() / agree.sum())
        if others.sum() < LEAST_POINTS or share < WEAK_SHARE:
            return None, share
        return refine(rest.of(others), self.rig, pose), share

    def _judged(self, points: SeenPoints, motion: Motion, rival: float) -> Tracked:
        count = int(motion.inliers.sum())
        ratio = count / len(points)
        covered = spread(points.seen[motion.inliers, :2], self.rig.size)
        depth_m = float(np.median(triangulate(points.pixels, points.disparity_px, self.rig)[:, 2]))
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(motion.covariance[:3, :3])[-1]))
        by_itself = max(rival, self.key.moving_share)
        verdict = judge_support(Support(count, ratio, covered, by_itself, sigma_m / depth_m))
        if verdict.state == "lost":
            return Tracked(verdict, inliers=count, ratio=ratio)
        refusal = self.prior.refuses(self.key.odom_from_key @ motion.second_from_first.inverse(), sigma_m)
        if refusal is not None:
            return Tracked(Verdict("lost", (refusal,)), inliers=count, ratio=ratio)
        if rival < RIVAL_SHARE:
            return Tracked(verdict, motion.second_from_first, motion.covariance, count, ratio)
        still, moving = points.seen[motion.inliers, :2], points.seen[~motion.inliers, :2]
        return Tracked(verdict, motion.second_from_first, motion.covariance, count, ratio, still, moving)

    def _random(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)
