"""Trajectories as TUM text: a line for every pose, ``timestamp_s x y z qx qy qz qw``, # for remarks."""

from __future__ import annotations

from roma_device.calibration.pose import Pose

HEADER = "# timestamp_s x_m y_m z_m qx qy qz qw: left camera (x forward, y left, z up) in the frame odom"


def tum_line(timestamp_ns: int, pose: Pose) -> str:
    """One line without its end: every digit of the time, micrometres, 1e-8 of the quaternion."""
    seconds, fraction = divmod(timestamp_ns, 1_000_000_000)
    position = " ".join(f"{value:.6f}" for value in pose.translation_m)
    orientation = " ".join(f"{value:.8f}" for value in pose.quaternion)
    return f"{seconds}.{fraction:09d} {position} {orientation}"
