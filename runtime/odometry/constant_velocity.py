"""Constant-velocity motion model: the pose expected of a frame before it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from roma_device.calibration.pose import Pose

from .plausibility import implausibility

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
