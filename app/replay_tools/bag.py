"""Export as a bag of ROS 2: raw images, and the calibration of the rig with each pair."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from roma_device.app.messages.bag import Bag
from roma_device.app.messages.camera import image
from roma_device.app.messages.motion import CAMERA_FROM_OPTICAL, transform
from roma_device.app.messages.topics import CAMERA, LEFT, RIGHT, Quality
from roma_device.app.messages.types import CameraInfo, Header, Message, TFMessage, Time
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import StereoFrame

from .stored import StoredRecording, wall_stamps

NAMESPACE = "/stereo"


def export_rosbag2(recording: StoredRecording, path: Path) -> int:
    """The folder of a bag (MCAP within), as ``ros2 bag play`` takes it."""
    pairs, bag = 0, Bag.create(path)
    try:
        for stamp_ns, frame in wall_stamps(recording):
            for topic, quality, message in _messages(recording.calibration, frame, stamp_ns, is_first=pairs == 0):
                bag.write(topic, quality, message, stamp_ns)
            pairs += 1
    finally:
        bag.close()
    return pairs


def export_mcap(recording: StoredRecording, path: Path) -> int:
    """The bag's one file alone."""
    folder = path.parent / "bag"
    pairs = export_rosbag2(recording, folder)
    os.rename(folder / "bag.mcap", path)  # noqa: PTH104
    return pairs


def _messages(
    calibration: StereoCalibration | None, frame: StereoFrame, stamp_ns: int, is_first: bool
) -> Iterator[tuple[str, Quality, Message]]:
    """Each side with its own time of exposure."""
    stamps = {"left": Time.of(stamp_ns), "right": Time.of(stamp_ns + frame.skew_ns)}
    headers = {"left": Header(stamps["left"], LEFT), "right": Header(stamps["right"], RIGHT)}
    for side, shot in (("left", frame.left), ("right", frame.right)):
        yield f"{NAMESPACE}/{side}/image_raw", "sensor", image(headers[side], shot.image)
    if calibration is None:
        return
    fitted = calibration.fitted_to(frame.size)
    for side in ("left", "right"):
        yield f"{NAMESPACE}/{side}/camera_info", "sensor", raw_camera_info(headers[side], fitted, side == "right")
    if is_first:
        yield "/tf_static", "latched", _frames(stamps["left"], fitted)


def _frames(stamp: Time, calibration: StereoCalibration) -> TFMessage:
    """Of the raw cameras."""
    left = transform(Header(stamp, CAMERA), LEFT, CAMERA_FROM_OPTICAL)
    right = transform(Header(stamp, LEFT), RIGHT, calibration.right_from_left.inverse())
    return TFMessage([left, right])


def raw_camera_info(header: Header, calibration: StereoCalibration, right: bool) -> CameraInfo:
    """Lens of a raw image and its rectification: in the right one P[0, 3] is ``-f B``."""
    camera, rectification = (
        (calibration.right if right else calibration.left),
        Rectification.from_calibration(calibration),
    )
    rotation = rectification.right_rotation if right else rectification.left_rotation
    rig = rectification.rig
    assert rotation is not None and rig.focal_px is not None and rig.baseline_m is not None
    shift = -rig.focal_px * rig.baseline_m if right else 0.0
    projection = np.array([rig.focal_px, 0, rig.cx, shift, 0, rig.focal_px, rig.cy, 0, 0, 0, 1, 0], np.float64)
    model, (width, height) = camera.model, camera.size
    matrix = camera.matrix.reshape(-1)
    return CameraInfo(header, height, width, model, camera.distortion, matrix, rotation.reshape(-1), projection)
