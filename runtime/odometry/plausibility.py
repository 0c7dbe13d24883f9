"""Plausibility gates of a motion, and the constant-velocity model that says what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.runtime.pose_estimate import PoseState

LEAST_INLIERS, FEW_INLIERS = 15, 40
LEAST_RATIO, LOW_RATIO = 0.25, 0.5
LEAST_SPREAD, LOW_SPREAD = 0.12, 0.3
"""Below the first of each pair there is no pose, below the second a degraded one."""

RIVAL_SHARE = 0.25
"""Support of another motion, as a share of the first one's, from which on something large moves by itself."""

LOOSE_SHARE = 0.05
"""Standard deviation of the translation, as a share of the points' median depth, above which it is poorly known."""

MOST_SPEED_MPS, MOST_TURN_RADPS = 60.0, 12.0
MOST_PUSH_MPS2, MOST_TWIST_RADPS2 = 60.0, 250.0
"""What no vehicle, hand or drone does: 6 g, and a half turn in a quarter of a second."""


@dataclass(frozen=True, slots=True)
class Support:
    """Inlier support of a motion."""

    inliers: int
    ratio: float  # inliers over followed points
    spread: float  # share of the image that the inliers cover
    rival: float  # points that move by themselves, as a share of those that agree or of those left out
    sigma_share: float  # largest standard deviation of the translation over the median depth


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and its reasons."""

    state: PoseState
    reasons: tuple[str, ...]


def judge_support(support: Support) -> Verdict:
    """Ok, degraded or lost, by inliers, their share and spread, and the uncertainty."""
    lacks = (
        (support.inliers, LEAST_INLIERS, FEW_INLIERS, f"{support.inliers} points agree on the motion"),
        (support.ratio, LEAST_RATIO, LOW_RATIO, f"{100 * support.ratio:.0f} % of the points agree on the motion"),
        (support.spread, LEAST_SPREAD, LOW_SPREAD, f"the points cover {100 * support.spread:.0f} % of the image"),
    )
    if fatal := tuple(reason for value, least, _, reason in lacks if value < least):
        return Verdict("lost", fatal)
    reasons = [reason for value, _, low, reason in lacks if value < low]
    if support.rival > RIVAL_SHARE:
        reasons.append("something large moves by itself")
    if support.sigma_share > LOOSE_SHARE:
        reasons.append("the translation is poorly known")
    return Verdict("degraded" if reasons else "ok", tuple(reasons))


def implausibility(moved: Pose, expected: Pose | None, elapsed_s: float, sigma_m: float) -> str | None:
    """Speed and acceleration gate: why a motion since the last pose cannot be, None where it can.

    ``expected`` is what a constant speed would have given, None where the speed is not known.
    """
    shift_m, turn_rad = _size(moved)
    if shift_m > MOST_SPEED_MPS * elapsed_s + 3 * sigma_m or turn_rad > MOST_TURN_RADPS * elapsed_s:
        return f"a motion of {shift_m:.2f} m and {np.rad2deg(turn_rad):.0f} deg in {elapsed_s:.2f} s is not possible"
    if expected is None:
        return None
    push_m, twist_rad = _size(moved @ expected.inverse())
    if push_m > MOST_PUSH_MPS2 * elapsed_s**2 + 3 * sigma_m or twist_rad > MOST_TWIST_RADPS2 * elapsed_s**2:
        return f"a jump by {push_m:.2f} m and {np.rad2deg(twist_rad):.0f} deg in {elapsed_s:.2f} s is not possible"
    return None


def distance_in_sigmas(a: Pose, b: Pose, covariance: FloatArray) -> float:
    """Distance of two motions in standard deviations of ``covariance`` (6, 6), of their difference's size."""
    shift_m, turn_rad = _size(a @ b.inverse())
    return float(shift_m / np.sqrt(covariance[:3, :3].trace()) + turn_rad / np.sqrt(covariance[3:, 3:].trace()))


def _size(pose: Pose) -> tuple[float, float]:
    return float(np.linalg.norm(pose.translation_m)), float(np.linalg.norm(pose.rotation_vector))


LONGEST_GAP_S = 1.0
"""Speed is not carried over longer ones."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionPrediction:
    """Prediction of the constant-velocity model: where the rig was and should be by now; poses are odom_from_left."""

    last: Pose
    expected: Pose
    elapsed_s: float
    is_steady: bool  # the speed is known, and the last frame had a pose

    def refuses(self, now: Pose, sigma_m: float) -> str | None:
        """Why the rig cannot be at ``now``, whose position has a standard deviation; None where it can."""
        expected = self.last.inverse() @ self.expected if self.is_steady else None
        return implausibility(self.last.inverse() @ now, expected, self.elapsed_s, sigma_m)


def predict_constant_velocity(
    last: tuple[int, Pose], before: tuple[int, Pose] | None, now_ns: int, lost: bool
) -> MotionPrediction:
    """Predict the pose from the last two times (ns) and poses; ``before`` is None where the speed is not known."""
    last_ns, pose = last
    elapsed_s, expected = (now_ns - last_ns) / 1e9, pose
    if before is not None and now_ns - last_ns <= LONGEST_GAP_S * 1e9:
        step = before[1].inverse() @ pose
        share = (now_ns - last_ns) / (last_ns - before[0])
        expected = pose @ Pose.from_rotation_vector(share * step.rotation_vector, share * step.translation_m)
    return MotionPrediction(pose, expected, elapsed_s, before is not None and not lost)
