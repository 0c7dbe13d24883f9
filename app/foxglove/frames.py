"""Frames: where camera, ground and rig are, as Foxglove's transforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from roma_device.app.messages.motion import CAMERA_FROM_OPTICAL
from roma_device.calibration.pose import Pose
from roma_device.runtime.obstacles.obstacle_map import GroundPlane
from roma_device.runtime.types import Result

from .fields import numbers

WORLD, ODOM, CAMERA, GROUND = "world", "odom", "camera_link", "ground"
LEFT, RIGHT = "left_optical_frame", "right_optical_frame"
"""``camera_link`` has x forward and z up (REP 103); ``ground`` too, on the ground below the camera."""


def transforms(result: Result) -> Iterator[dict[str, Any]]:
    """Parent, child, translation and rotation of every frame that is known."""
    yield _transform(CAMERA, LEFT, CAMERA_FROM_OPTICAL)
    if result.pose is not None and result.pose.odom_from_camera is not None:
        yield _transform(ODOM, CAMERA, result.pose.odom_from_camera)
    if result.rig is not None and result.rig.baseline_m is not None:
        yield _transform(LEFT, RIGHT, Pose(np.eye(3), np.array([result.rig.baseline_m, 0.0, 0.0])))
    if result.obstacles is not None and result.obstacles.ground is not None:
        yield _transform(LEFT, GROUND, optical_from_ground(result.obstacles.ground))


def optical_from_ground(ground: GroundPlane) -> Pose:
    """The frame on the ground: x forward, y to the left, z up."""
    forward, right, up = ground.axes
    return Pose(np.column_stack([forward, -right, up]), -ground.height_m * ground.up)


def _transform(parent: str, child: str, parent_from_child: Pose) -> dict[str, Any]:
    place, turn = numbers(parent_from_child)
    return {"parent_frame_id": parent, "child_frame_id": child, "translation": place, "rotation": turn}
