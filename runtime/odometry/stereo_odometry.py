"""Stereo visual odometry: where the rig is, from points that are tracked from a keyframe to the current frame.

Every frame is related to the last keyframe directly, so that errors add up only from keyframe to keyframe. What the
camera cannot tell is said: degraded where the motion rests on little, lost where there is none. A lost rig looks for
its keyframe by descriptors; when that fails for a while, a new segment begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.pose_estimate import (
    PoseEstimate,
    body_covariance,
    body_pose,
    composed_covariance,
    inverse_covariance,
)

from .corner_grid import spread
from .keyframe import Keyframe, RectifiedPair, make_keyframe, smoothed
from .keyframe_tracking import Tracked, TrackingSetup, track_keyframe
from .plausibility import Support, Verdict, judge_support, predict_constant_velocity
from .trackers import KltTracker, Tracker

KEYFRAME_RATIO = 0.6
"""A new keyframe is due when fewer of the last one's points agree with the motion."""

PATIENCE = 10
"""Lost frames after which a new segment begins."""

RENEWAL = 5
"""Frames after which a keyframe that leaves out what moves is replaced: it may have gone."""


@dataclass(frozen=True, slots=True)
class OdometryOptions:
    """Choices that hold for every frame."""

    tracker: str = "klt"  # a name of TRACKERS, or a two-view model
    points: int = 400  # followed at most
    seed: int = 0  # of the random triples: the same input gives the same poses
    depth: Literal["rows", "model"] = "rows"  # searched for along the rows, or the network's


class StereoOdometry:
    """Visual odometry of a rectified, metric rig; frames must come in the order of their time."""

    def __init__(
        self, rig: RectifiedRig, options: OdometryOptions | None = None, tracker: Tracker | None = None
    ) -> None:
        """``tracker``: None for KltTracker. Raises ValueError for a rig without focal length or baseline."""
        if not rig.is_metric:
            raise ValueError("odometry in metres needs the rig's focal length and baseline")
        self.rig, self._options = rig, options or OdometryOptions()
        self._setup = TrackingSetup(rig, tracker or KltTracker(), self._options.points)
        self._key: Keyframe | None = None
        self._segment, self._lost, self._frames, self._key_age = 0, 0, 0, 0
        self._last: tuple[int, Pose, FloatArray] | None = None  # time, odom_from_left, its covariance
        self._before: tuple[int, Pose] | None = None  # the pose before that, None where the speed is not known

    def process(self, left: Image, right: Image, timestamp_ns: int, dense_px: FloatImage | None = None) -> PoseEstimate:
        """Take one rectified grey pair (H, W) uint8 of the rig's size.

        ``dense_px`` (H, W): disparities to take depth from, NaN where unknown; without it they are searched for.
        """
        self._frames += 1
        pair = RectifiedPair(smoothed(left), smoothed(right), timestamp_ns, dense_px)
        if self._last is not None and timestamp_ns <= self._last[0]:
            return self._without_pose(timestamp_ns, Tracked(Verdict("lost", ("its time is not after the last one's",))))
        if self._key is None:
            return self._begin(pair)
        found = self._tracked(self._key, pair)
        if found.current_from_key is not None and found.covariance is not None:
            return self._advance(self._key, found, pair)
        self._lost += 1
        if self._lost >= PATIENCE:
            return self._begin(pair)
        return self._without_pose(timestamp_ns, found)

    def _begin(self, pair: RectifiedPair) -> PoseEstimate:
        """Start a segment where the last pose was, if the frame has enough to follow."""
        place = (Pose.identity(), np.zeros((6, 6))) if self._last is None else self._last[1:]
        key = make_keyframe(pair, self._options.points, place)
        covered = spread(key.pixels, self.rig.size)
        verdict = judge_support(Support(len(key), 1.0, covered, 0.0, 0.0))
        if verdict.state == "lost":
            reasons = (f"{len(key)} points with a depth, over {100 * covered:.0f} % of the image",)
            return self._without_pose(pair.timestamp_ns, Tracked(Verdict("lost", reasons)))
        self._segment, self._lost = self._segment + 1, 0
        self._key, self._key_age = key, 0
        self._last, self._before = (pair.timestamp_ns, *place), None
        if self._segment > 1:
            verdict = Verdict("degraded", (*verdict.reasons, "a new segment begins"))
        return self._estimate(verdict, len(key), 1.0, True)

    def _tracked(self, key: Keyframe, pair: RectifiedPair) -> Tracked:
        assert self._last is not None
        prediction = predict_constant_velocity(self._last[:2], self._before, pair.timestamp_ns, self._lost > 0)
        seed = self._options.seed, self._frames
        return track_keyframe(self._setup, key, pair, prediction, seed)

    def _advance(self, key: Keyframe, found: Tracked, pair: RectifiedPair) -> PoseEstimate:
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

    def _renew_keyframe(
        self, key: Keyframe, found: Tracked, pair: RectifiedPair, place: tuple[Pose, FloatArray]
    ) -> None:
        if found.inliers >= KEYFRAME_RATIO * len(key) and (key.moving_share == 0 or self._key_age < RENEWAL):
            return
        new = make_keyframe(pair, self._options.points, place)
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

    def _without_pose(self, timestamp_ns: int, found: Tracked) -> PoseEstimate:
        reasons = found.verdict.reasons
        return PoseEstimate(
            timestamp_ns, "lost", reasons, max(self._segment, 1), inliers=found.inliers, inlier_ratio=found.ratio
        )
