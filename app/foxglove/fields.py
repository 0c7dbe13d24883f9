"""Fields of messages: what a result says, under the names of Foxglove's schemas."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from roma_device.app.messages.scan import laser_scan
from roma_device.app.messages.types import Header, Time
from roma_device.calibration.arrays import FloatImage
from roma_device.calibration.errors import RomaError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import back_project, encode_depth_mm
from roma_device.runtime.obstacles.obstacle_map import ObstacleMap
from roma_device.runtime.types import DepthMap, Result

from .schemas import FLOAT32, UINT8

JPEG_QUALITY = 90
_PAETH = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH) if hasattr(cv2, "IMWRITE_PNG_FILTER") else ()
SMALL_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY, *_PAETH)
"""Of depth: an eighth smaller than OpenCV's PNG. Before 4.11 OpenCV tries all filters, for half as much time again."""

POINT = np.dtype([(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue", "alpha")])
ORIGIN = {"position": {"x": 0.0, "y": 0.0, "z": 0.0}, "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}


def compressed_image(result: Result) -> dict[str, Any]:
    """The rectified left image as JPEG."""
    return _encoded("jpeg", result.images.left, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))


def _encoded(format_: str, image: Any, options: tuple[int, ...] = ()) -> dict[str, Any]:
    done, data = cv2.imencode(f".{format_}", image, options)
    if not done:
        raise RomaError(f"OpenCV could not encode the image as {format_}")
    return {"data": data.tobytes(), "format": format_}


def depth_image(depth: DepthMap, stride: int = 1) -> dict[str, Any]:
    """``16UC1``, millimetres along Z with 0 for unknown: as ``32FC1`` Foxglove would show metres as brightness."""
    depth_mm = encode_depth_mm(depth.depth_m[::stride, ::stride])
    height, width = depth_mm.shape
    data = depth_mm.astype("<u2").tobytes()
    return {"width": width, "height": height, "encoding": "16UC1", "step": 2 * width, "data": data}


def compressed_depth(depth: DepthMap) -> dict[str, Any]:
    """The same millimetres as 16 bit PNG."""
    return _encoded("png", encode_depth_mm(depth.depth_m), SMALL_PNG)


def calibration(rig: RectifiedRig) -> dict[str, Any]:
    """The rectified left camera, which has no distortion."""
    focal_px, (width, height) = rig.focal_px or 0.0, rig.size
    matrix = np.array([[focal_px, 0, rig.cx], [0, focal_px, rig.cy], [0, 0, 1.0]])
    return {
        "width": width,
        "height": height,
        "distortion_model": "plumb_bob",
        "D": np.zeros(5),
        "K": matrix.ravel(),
        "R": np.eye(3).ravel(),
        "P": np.column_stack([matrix, np.zeros(3)]).ravel(),
    }


def point_cloud(result: Result, stride: int) -> dict[str, Any]:
    """The known pixels, every ``stride``-th of each row and column, in metres and colour."""
    assert result.depth is not None and result.rig is not None
    left = result.images.left
    bgr = np.repeat(left[:, :, None], 3, axis=2) if left.ndim == 2 else left
    cloud = back_project(result.depth.depth_m, result.known, bgr, result.rig, stride)
    points = np.empty(len(cloud.points_m), POINT)
    for axis, name in enumerate("xyz"):
        points[name] = cloud.points_m[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = cloud.colours[:, channel]
    points["alpha"] = 255
    fields = [
        {"name": name, "offset": place[1], "type": FLOAT32 if name in "xyz" else UINT8}
        for name, place in (POINT.fields or {}).items()
    ]
    return {"pose": ORIGIN, "point_stride": POINT.itemsize, "fields": fields, "data": points.tobytes()}


def numbers(pose: Pose) -> tuple[dict[str, float], dict[str, float]]:
    """Place and turn of a pose."""
    place = dict(zip("xyz", map(float, pose.translation_m), strict=True))
    return place, dict(zip("xyzw", map(float, pose.quaternion), strict=True))


def pose(pose_: Pose) -> dict[str, Any]:
    """A Pose."""
    place, turn = numbers(pose_)
    return {"position": place, "orientation": turn}


def depth_scan(result: Result) -> dict[str, Any]:
    """What a planar scanner at the camera would see; NaN where nothing is known."""
    scan = laser_scan(Header(Time(0, 0), ""), result)
    return _scan(scan.angle_min, scan.angle_max, scan.ranges)


def obstacle_scan(obstacles: ObstacleMap) -> dict[str, Any]:
    """Obstacles on the ground, at even angles from right to left; inf where ground alone was seen, NaN unknown."""
    angles = np.linspace(obstacles.scan_rad[-1], obstacles.scan_rad[0], len(obstacles.scan_rad))
    rising = obstacles.scan_rad[::-1]
    middles = (rising[1:] + rising[:-1]) / 2
    return _scan(float(angles[0]), float(angles[-1]), obstacles.scan_m[::-1][np.searchsorted(middles, angles)])


def _scan(start: float, end: float, ranges_m: FloatImage) -> dict[str, Any]:
    return {"pose": ORIGIN, "start_angle": start, "end_angle": end, "ranges": ranges_m}


def status(result: Result) -> dict[str, Any]:
    """Figures to plot, as JSON."""
    return {
        "index": result.index,
        "known": round(float(result.known.mean()), 5),
        "dropped": result.dropped,
        "total_ms": round(result.times.total_ms, 3),
        "stages_ms": {name: round(value, 3) for name, value in result.times.stages_ms.items()},
        "pose": "not asked for" if result.pose is None else result.pose.state,
        "obstacles": None if result.obstacles is None else result.obstacles.as_json(),
    }
