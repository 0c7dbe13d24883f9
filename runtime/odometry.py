"""Stereo odometry: where the rig is, from points that are followed from a keyframe to the current frame.

Every frame is related to the last keyframe directly, so that errors add up only from keyframe to keyframe. What the
camera cannot tell is said: degraded where the motion rests on little, lost where there is none. A lost rig looks for
its keyframe by descriptors; when that fails for a while, a new segment begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .frames import body_covariance, body_pose
from .keyframe import Keyframe, make_keyframe, seen_points
from .motion_gate import RIVAL_SHARE, Support, Verdict, distance, judge_support, plausible
from .motion_hypotheses import propose
from .point_grid import balanced_corners, spread
from .pose_estimate import PoseEstimate, composed_covariance, inverse_covariance
from .sparse_stereo import refine_disparity, sample_disparity
from .stereo_motion import Motion, extend, refine
from .stereo_points import Mask, SeenPoints, triangulate
from .trackers import open_tracker
from .types import FloatImage, Image

FloatArray = npt.NDArray[np.float64]

LEAST_POINTS = 12
"""Points without which no motion is looked for."""

KEYFRAME_RATIO = 0.6
"""A new keyframe is due when fewer of the last one's points agree with the motion."""

WEAK_SHARE, EXPECTED_RATIO = 0.08, 0.3
"""Fewer points win, down to this share of the others, where their motion is that much nearer to the expected one: a
large thing that moves by itself has more texture than what stands still behind it."""

PATIENCE = 10
"""Lost frames after which a new segment begins."""

RENEWAL = 5
"""Frames after which a keyframe that leaves out what moves is replaced: it may have gone."""

LONGEST_GAP_S = 1.0
"""Speed is not carried over longer ones."""

SMOOTHING_PX = 1.0


@dataclass(frozen=True, slots=True)
class OdometryOptions:
    """Choices that hold for every frame."""

    tracker: str = "klt"
    points: int = 400  # followed at most
    seed: int = 0  # of the random triples: the same input gives the same poses


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """A rectified pair, smoothed."""

    left: Image
    right: Image
    timestamp_ns: int
    dense_px: FloatImage | None

    def keyframe(self, most_points: int, place: tuple[Pose, FloatArray]) -> Keyframe:
        return make_keyframe(self.left, self.right, self.dense_px, most_points, place)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What one look at a frame gave."""

    verdict: Verdict
    current_from_key: Pose | None = None
    covariance: FloatArray | None = None
    inliers: int = 0
    ratio: float = 0.0
    still: FloatArray | None = None  # (K, 2) px of the points that agree, where others have a motion of their own
    moving: FloatArray | None = None  # (L, 2) px of those others


class StereoOdometry:
    """The way of a rectified, metric rig through what it sees; frames must come in the order of their time."""

    def __init__(self, rig: RectifiedRig, options: OdometryOptions | None = None) -> None:
        """Raises ValueError for a rig without focal length or baseline, and for an unknown tracker."""
        if not rig.is_metric:
            raise ValueError("odometry in metres needs the rig's focal length and baseline")
        self.rig, self._options = rig, options or OdometryOptions()
        self._tracker = open_tracker(self._options.tracker)
        self._key: Keyframe | None = None
        self._segment, self._lost, self._frames, self._key_age = 0, 0, 0, 0
        self._last: tuple[int, Pose, FloatArray] | None = None  # time, odom_from_left, its covariance
        self._before: tuple[int, Pose] | None = None  # the pose before that, None where the speed is not known

    def process(self, left: Image, right: Image, timestamp_ns: int, dense_px: FloatImage | None = None) -> PoseEstimate:
        """Take one rectified grey pair (H, W) uint8 of the rig's size.

        ``dense_px`` (H, W): disparities to take depth from, NaN where unknown; without it they are searched for.
        """
        self._frames += 1
        pair = _Pair(smoothed(left), smoothed(right), timestamp_ns, dense_px)
        if self._last is not None and timestamp_ns <= self._last[0]:
            return self._without_pose(timestamp_ns, _Found(Verdict("lost", ("its time is not after the last one's",))))
        if self._key is None:
            return self._begin(pair)
        found = self._look(self._key, pair)
        if found.current_from_key is not None and found.covariance is not None:
            return self._advance(self._key, found, pair)
        self._lost += 1
        if self._lost >= PATIENCE:
            return self._begin(pair)
        return self._without_pose(timestamp_ns, found)

    def _begin(self, pair: _Pair) -> PoseEstimate:
        """Start a segment where the last pose was, if the frame has enough to follow."""
        place = (Pose.identity(), np.zeros((6, 6))) if self._last is None else self._last[1:]
        key = pair.keyframe(self._options.points, place)
        covered = spread(key.pixels, self.rig.size)
        verdict = judge_support(Support(len(key), 1.0, covered, 0.0, 0.0))
        if verdict.state == "lost":
            reasons = (f"{len(key)} points with a depth, over {100 * covered:.0f} % of the image",)
            return self._without_pose(pair.timestamp_ns, _Found(Verdict("lost", reasons)))
        self._segment, self._lost = self._segment + 1, 0
        self._key, self._key_age = key, 0
        self._last, self._before = (pair.timestamp_ns, *place), None
        if self._segment > 1:
            verdict = Verdict("degraded", (*verdict.reasons, "a new segment begins"))
        return self._estimate(verdict, len(key), 1.0, True)

    def _look(self, key: Keyframe, pair: _Pair) -> _Found:
        """The motion since the keyframe: from where it is expected, else by recognizing the keyframe."""
        found = _Found(Verdict("lost", ("too few points to follow",)))
        for guess in self._guesses(key, pair):
            points = self._follow(key, pair, guess)
            if len(points) < LEAST_POINTS:
                found = _Found(Verdict("lost", (f"{len(points)} points could be followed",)))
                continue
            found = self._motion(key, points, guess, pair.timestamp_ns)
            if found.current_from_key is not None:
                break
        return found

    def _guesses(self, key: Keyframe, pair: _Pair) -> Iterator[Pose]:
        """Poses current_from_key, the likeliest first."""
        assert self._last is not None
        yield self._expected(pair.timestamp_ns).inverse() @ key.odom_from_key
        which, places = key.recognized(pair.left, balanced_corners(pair.left, 2 * self._options.points))
        if len(which) >= LEAST_POINTS:
            points = seen_points(key, which, places, np.full(len(which), np.nan))
            pose, agree = propose(points, self.rig, Pose.identity(), self._random()).best
            if agree.sum() >= LEAST_POINTS:
                yield refine(points.of(agree), self.rig, pose).second_from_first

    def _expected(self, timestamp_ns: int) -> Pose:
        """odom_from_left at a constant speed since the last two poses."""
        assert self._last is not None
        last_ns, last, _ = self._last
        if self._before is None or timestamp_ns - last_ns > LONGEST_GAP_S * 1e9:
            return last
        step = self._before[1].inverse() @ last
        share = (timestamp_ns - last_ns) / (last_ns - self._before[0])
        return last @ Pose.from_rotation_vector(share * step.rotation_vector, share * step.translation_m)

    def _follow(self, key: Keyframe, pair: _Pair, guess: Pose) -> SeenPoints:
        """The keyframe's points in the pair, from where ``guess`` would have them."""
        predicted = key.predicted(guess, self.rig)
        inside = np.isfinite(predicted[:, 0]) & (np.abs(predicted[:, :2] / self.rig.size - 0.5) < 0.55).all(axis=1)
        which = np.flatnonzero(inside)
        places, good = self._tracker.follow(key.image, pair.left, key.pixels[which], predicted[which, :2])
        which, places = which[good], places[good]
        if pair.dense_px is None:
            disparity_px = refine_disparity(pair.left, pair.right, places, np.maximum(predicted[which, 2], 0))
        else:
            disparity_px = sample_disparity(pair.dense_px, places)
        return seen_points(key, which, places, disparity_px)

    def _motion(self, key: Keyframe, points: SeenPoints, guess: Pose, timestamp_ns: int) -> _Found:
        """The motion that most points agree on; where others agree on another one, that of both which is expected."""
        pose, agree = propose(points, self.rig, guess, self._random()).best
        if agree.sum() < LEAST_POINTS:
            return _Found(Verdict("lost", (f"{agree.sum()} of {len(points)} points agree on a motion",)))
        motion = refine(points.of(agree), self.rig, pose)
        other, share = self._rival(points, agree, guess)
        if other is not None and self._before is not None and not self._lost:
            far = [distance(each.second_from_first, guess, motion.covariance) for each in (motion, other)]
            if far[1] < EXPECTED_RATIO * far[0]:
                motion, share = other, 1 / share
        return self._judged(points, extend(points, self.rig, motion), share, key, timestamp_ns)

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

    def _judged(self, points: SeenPoints, motion: Motion, rival: float, key: Keyframe, timestamp_ns: int) -> _Found:
        count = int(motion.inliers.sum())
        ratio = count / len(points)
        covered = spread(points.seen[motion.inliers, :2], self.rig.size)
        depth_m = float(np.median(triangulate(points.pixels, points.disparity_px, self.rig)[:, 2]))
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(motion.covariance[:3, :3])[-1]))
        by_itself = max(rival, key.moving_share)
        verdict = judge_support(Support(count, ratio, covered, by_itself, sigma_m / depth_m))
        if verdict.state == "lost":
            return _Found(verdict, inliers=count, ratio=ratio)
        impossible = self._impossible(key, motion, sigma_m, timestamp_ns)
        if impossible is not None:
            return _Found(Verdict("lost", (impossible,)), inliers=count, ratio=ratio)
        if rival < RIVAL_SHARE:
            return _Found(verdict, motion.second_from_first, motion.covariance, count, ratio)
        still, moving = points.seen[motion.inliers, :2], points.seen[~motion.inliers, :2]
        return _Found(verdict, motion.second_from_first, motion.covariance, count, ratio, still, moving)

    def _impossible(self, key: Keyframe, motion: Motion, sigma_m: float, timestamp_ns: int) -> str | None:
        assert self._last is not None
        last_ns, last, _ = self._last
        now = key.odom_from_key @ motion.second_from_first.inverse()
        elapsed_s = (timestamp_ns - last_ns) / 1e9
        steady = self._before is not None and not self._lost
        expected = last.inverse() @ self._expected(timestamp_ns) if steady else None
        return plausible(last.inverse() @ now, expected, elapsed_s, sigma_m)

    def _advance(self, key: Keyframe, found: _Found, pair: _Pair) -> PoseEstimate:
        """Take over a motion that was found, and renew the keyframe where that is due."""
        assert found.current_from_key is not None and found.covariance is not None and self._last is not None
        key_from_current = found.current_from_key.inverse()
        covariance = inverse_covariance(found.current_from_key, found.covariance)
        place = (
            key.odom_from_key @ key_from_current,
            composed_covariance(key.odom_from_key, key.covariance, key_from_current, covariance),
        )
        self._before = None if self._lost else self._last[:2]
        self._last, self._lost = (pair.timestamp_ns, *place), 0
        self._key_age += 1
        self._renew_keyframe(key, found, pair, place)
        return self._estimate(found.verdict, found.inliers, found.ratio, self._key is not key)

    def _renew_keyframe(self, key: Keyframe, found: _Found, pair: _Pair, place: tuple[Pose, FloatArray]) -> None:
        if found.inliers >= KEYFRAME_RATIO * len(key) and (key.moving_share == 0 or self._key_age < RENEWAL):
            return
        new = pair.keyframe(self._options.points, place)
        if found.still is not None and found.moving is not None:
            new = new.without(found.moving, found.still)
        if len(new) > found.inliers:
            self._key, self._key_age = new, 0

    def _estimate(self, verdict: Verdict, inliers: int, ratio: float, is_keyframe: bool) -> PoseEstimate:
        assert self._last is not None
        timestamp_ns, pose, covariance = self._last
        return PoseEstimate(
            timestamp_ns,
            verdict.state,
            verdict.reasons,
            self._segment,
            body_pose(pose),
            body_covariance(covariance),
            inliers,
            ratio,
            is_keyframe,
        )

    def _without_pose(self, timestamp_ns: int, found: _Found) -> PoseEstimate:
        reasons = found.verdict.reasons
        return PoseEstimate(
            timestamp_ns, "lost", reasons, max(self._segment, 1), inliers=found.inliers, inlier_ratio=found.ratio
        )

    def _random(self) -> np.random.Generator:
        return np.random.default_rng((self._options.seed, self._frames))


def smoothed(image: Image) -> Image:
    """A grey image (H, W) without the finest detail, whose noise draws interpolated patches to half pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), SMOOTHING_PX), np.uint8)
