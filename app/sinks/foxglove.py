"""Results in Foxglove's schemas: the messages of one frame as plain values, and their schemas.

Depth is ``16UC1``, millimetres along Z with 0 for unknown: as ``32FC1`` Foxglove would show metres as brightness.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

from roma_device.app.messages.motion import CAMERA_FROM_OPTICAL
from roma_device.app.messages.topics import CAMERA, LEFT, ODOM, RIGHT
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import encode_depth_mm
from roma_device.runtime.types import Result

from . import SinkError
from .file_sink import left_image

JPEG_QUALITY = 90

_TIME = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_BYTES = {"type": "string", "contentEncoding": "base64"}
_NUMBERS = {"type": "array", "items": _NUMBER}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_VECTOR = _object(x=_NUMBER, y=_NUMBER, z=_NUMBER)
_QUATERNION = _object(x=_NUMBER, y=_NUMBER, z=_NUMBER, w=_NUMBER)
_HEAD = {"timestamp": _TIME, "frame_id": _TEXT}
_SIZE = {"width": _WHOLE, "height": _WHOLE}
_TRANSFORM = _object(
    timestamp=_TIME, parent_frame_id=_TEXT, child_frame_id=_TEXT, translation=_VECTOR, rotation=_QUATERNION
)
TOPICS: dict[str, tuple[str, dict[str, Any]]] = {
    "/left/image": ("foxglove.CompressedImage", _object(**_HEAD, data=_BYTES, format=_TEXT)),
    "/depth": ("foxglove.RawImage", _object(**_HEAD, **_SIZE, encoding=_TEXT, step=_WHOLE, data=_BYTES)),
    "/left/calibration": (
        "foxglove.CameraCalibration",
        _object(**_HEAD, **_SIZE, distortion_model=_TEXT, D=_NUMBERS, K=_NUMBERS, R=_NUMBERS, P=_NUMBERS),
    ),
    "/pose": ("foxglove.PoseInFrame", _object(**_HEAD, pose=_object(position=_VECTOR, orientation=_QUATERNION))),
    "/odometry": ("foxglove.PoseInFrame", _object(**_HEAD, pose=_object(position=_VECTOR, orientation=_QUATERNION))),
    "/tf": ("foxglove.FrameTransforms", _object(transforms={"type": "array", "items": _TRANSFORM})),
}
"""Topic -> Foxglove's schema, by name and as JSON schema."""


class Message(NamedTuple):
    """What a result says on one topic; ``fields`` without the time, which only the file knows."""

    topic: str
    fields: dict[str, Any]
    frame_id: str = LEFT


def messages_of(result: Result) -> Iterator[Message]:
    """The messages of one frame; raises SinkError where the image cannot be encoded."""
    yield Message("/left/image", {"data": encode_jpeg(result), "format": "jpeg"})
    if result.rig is not None and result.rig.focal_px is not None:
        yield Message("/left/calibration", calibration_message(result.rig))
    if result.depth is not None:
        yield Message("/depth", depth_message(result))
    if result.frame.truth is not None and result.frame.truth.world_from_left is not None:
        yield Message("/pose", pose_message(result.frame.truth.world_from_left), "world")
    if result.pose is not None and result.pose.odom_from_camera is not None:
        yield Message("/odometry", pose_message(result.pose.odom_from_camera), "odom")
    yield Message("/tf", {"transforms": [_transform(*each) for each in frames_of(result)]})


def frames_of(result: Result) -> Iterator[tuple[str, str, Pose]]:
    """Frames by REP 103 and 105, as in ROS: parent, child and parent_from_child."""
    if result.pose is not None and result.pose.odom_from_camera is not None:
        yield ODOM, CAMERA, result.pose.odom_from_camera
    yield CAMERA, LEFT, CAMERA_FROM_OPTICAL
    if result.rig is not None and result.rig.baseline_m is not None:
        yield LEFT, RIGHT, Pose(np.eye(3), np.array([result.rig.baseline_m, 0.0, 0.0]))


def _transform(parent: str, child: str, parent_from_child: Pose) -> dict[str, Any]:
    translation, rotation = _numbers(parent_from_child)
    return {"parent_frame_id": parent, "child_frame_id": child, "translation": translation, "rotation": rotation}


def encode_jpeg(result: Result) -> str:
    """The rectified left image, as base64."""
    done, data = cv2.imencode(".jpg", left_image(result), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    if not done:
        raise SinkError("OpenCV could not encode the image as JPEG")
    return base64.b64encode(data.tobytes()).decode()


def depth_message(result: Result) -> dict[str, Any]:
    """Fields of a RawImage."""
    assert result.depth is not None
    depth_mm = encode_depth_mm(result.depth.depth_m)
    height, width = depth_mm.shape
    data = base64.b64encode(depth_mm.astype("<u2").tobytes()).decode()
    return {"width": width, "height": height, "encoding": "16UC1", "step": 2 * width, "data": data}


def calibration_message(rig: RectifiedRig) -> dict[str, Any]:
    """Fields of a CameraCalibration: the rectified left camera, which has no distortion."""
    focal_px = rig.focal_px or 0.0
    width, height = rig.size
    matrix = [focal_px, 0.0, rig.cx, 0.0, focal_px, rig.cy, 0.0, 0.0, 1.0]
    projection = [*matrix[:3], 0.0, *matrix[3:6], 0.0, *matrix[6:], 0.0]
    identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    return {
        "width": width,
        "height": height,
        "distortion_model": "plumb_bob",
        "D": [0.0] * 5,
        "K": matrix,
        "R": identity,
        "P": projection,
    }


def pose_message(pose: Pose) -> dict[str, Any]:
    """Fields of a PoseInFrame."""
    position, orientation = _numbers(pose)
    return {"pose": {"position": position, "orientation": orientation}}


def _numbers(pose: Pose) -> tuple[dict[str, float], dict[str, float]]:
    place = dict(zip("xyz", map(float, pose.translation_m), strict=True))
    return place, dict(zip("xyzw", map(float, pose.quaternion), strict=True))
