"""Transforms and odometry as messages: frames by REP 103 and 105."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.pose import Pose as RigidPose
from roma_device.runtime.obstacles.obstacle_map import GroundPlane
from roma_device.runtime.pose_estimate import BODY_FROM_OPTICAL, PoseEstimate

from .types import (
    Header,
    Odometry,
    Point,
    Pose,
    PoseWithCovariance,
    Quaternion,
    Transform,
    TransformStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
)

NOT_MEASURED = 1e6
"""Variance of what is not measured: the twist."""

CAMERA_FROM_OPTICAL = RigidPose(BODY_FROM_OPTICAL, np.zeros(3))


def transform(header: Header, child: str, parent_from_child: RigidPose) -> TransformStamped:
    """Where ``child`` is in the header's frame."""
    place, turn = _numbers(parent_from_child)
    return TransformStamped(header, child, Transform(Vector3(*place), Quaternion(*turn)))


def ground_from(ground: GroundPlane) -> RigidPose:
    """Pose camera_from_ground: the foot of the perpendicular from the camera, axes forward, left and up."""
    forward, right, up = (BODY_FROM_OPTICAL @ axis for axis in ground.axes)
    return RigidPose(np.stack([forward, -right, up], axis=1), -ground.height_m * up)


def odometry(header: Header, child: str, estimate: PoseEstimate) -> Odometry:
    """Where the camera is in ``odom``; the covariance is along the axes of odom, as the message wants it."""
    assert estimate.odom_from_camera is not None
    place, turn = _numbers(estimate.odom_from_camera)
    unknown = NOT_MEASURED * np.eye(6)
    covariance = unknown if estimate.covariance is None else estimate.covariance
    pose = PoseWithCovariance(Pose(Point(*place), Quaternion(*turn)), np.asarray(covariance, np.float64).reshape(-1))
    return Odometry(header, child, pose, TwistWithCovariance(Twist(), unknown.reshape(-1)))


def _numbers(pose: RigidPose) -> tuple[list[float], list[float]]:
    return [float(x) for x in pose.translation_m], [float(x) for x in pose.quaternion]
