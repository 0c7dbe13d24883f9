"""Topics: which message of a result goes where, each made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from roma_device.calibration.pose import Pose
from roma_device.runtime.types import Result

from .camera import camera_info, depth_image, disparity_image, image, point_cloud
from .clock import WallClock
from .diagnostics import diagnostics
from .motion import CAMERA_FROM_OPTICAL, ground_from, odometry, transform
from .scan import laser_scan, obstacle_scan
from .types import (
    CameraInfo,
    DiagnosticArray,
    DisparityImage,
    Header,
    Image,
    LaserScan,
    Message,
    Odometry,
    PointCloud2,
    TFMessage,
    Time,
)

Quality = Literal["sensor", "reliable", "latched"]
"""sensor: best effort, the last few (ROS's SensorDataQoS); reliable: the last few; latched: reliable and transient
local, for those who come later."""

ODOM, CAMERA, LEFT, RIGHT = "odom", "camera_link", "left_optical_frame", "right_optical_frame"
GROUND = "camera_footprint"  # on the ground below the camera, x forward along it, z up


@dataclass(slots=True)
class Maker:
    """Makes the messages of results."""

    stride: int = 4  # of points
    millimetres: bool = False  # depth as 16UC1 instead of 32FC1
    clock: WallClock = field(default_factory=WallClock)

    def header(self, result: Result, frame_id: str) -> Header:
        return Header(Time.of(self.clock.stamp_ns(result.frame.timestamp_ns)), frame_id)

    def left(self, result: Result) -> Image:
        return image(self.header(result, LEFT), result.images.left)

    def right(self, result: Result) -> Image:
        """With the left one's stamp: together they are one measurement."""
        return image(self.header(result, RIGHT), result.images.right)

    def left_info(self, result: Result) -> CameraInfo | None:
        return self._info(result, LEFT)

    def right_info(self, result: Result) -> CameraInfo | None:
        return self._info(result, RIGHT)

    def _info(self, result: Result, frame_id: str) -> CameraInfo | None:
        if result.rig is None or result.rig.focal_px is None:
            return None
        return camera_info(self.header(result, frame_id), result.rig, frame_id == RIGHT)

    def depth(self, result: Result) -> Image | None:
        if result.depth is None:
            return None
        return depth_image(self.header(result, LEFT), result.depth.depth_m, self.millimetres)

    def disparity(self, result: Result) -> DisparityImage | None:
        if result.matches.disparity_px is None or result.rig is None:
            return None
        return disparity_image(self.header(result, LEFT), result)

    def points(self, result: Result) -> PointCloud2 | None:
        return None if result.depth is None else point_cloud(self.header(result, LEFT), result, self.stride)

    def scan(self, result: Result) -> LaserScan | None:
        """Of the middle rows; where obstacles are looked for, of these, and none while the ground is not seen."""
        if result.obstacles is not None:
            header = self.header(result, GROUND)
            return None if result.obstacles.ground is None else obstacle_scan(header, result.obstacles)
        return None if result.depth is None else laser_scan(self.header(result, CAMERA), result)

    def odometry(self, result: Result) -> Odometry | None:
        if result.pose is None or result.pose.odom_from_camera is None:
            return None
        return odometry(self.header(result, ODOM), CAMERA, result.pose)

    def tf(self, result: Result) -> TFMessage | None:
        frames = []
        if result.pose is not None and result.pose.odom_from_camera is not None:
            frames.append(transform(self.header(result, ODOM), CAMERA, result.pose.odom_from_camera))
        if result.obstacles is not None and result.obstacles.ground is not None:
            frames.append(transform(self.header(result, CAMERA), GROUND, ground_from(result.obstacles.ground)))
        return TFMessage(frames) if frames else None

    def tf_static(self, result: Result) -> TFMessage:
        """The left optical frame sits at the camera's, the right one beside it."""
        frames = [transform(self.header(result, CAMERA), LEFT, CAMERA_FROM_OPTICAL)]
        baseline_m = result.rig.baseline_m if result.rig else None
        if baseline_m is not None:
            beside = Pose(np.eye(3), np.array([baseline_m, 0.0, 0.0]))
            frames.append(transform(self.header(result, LEFT), RIGHT, beside))
        return TFMessage(frames)

    def diagnostics(self, result: Result) -> DiagnosticArray:
        return diagnostics(self.header(result, ""), result)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its name below the namespace (with a slash in front: absolute), its type, and who makes its messages."""

    name: str
    type: type[Message]
    make: Callable[[Maker, Result], Message | None]
    quality: Quality = "sensor"

    def within(self, namespace: str) -> str:
        """The name in full."""
        return self.name if self.name.startswith("/") else f"/{namespace.strip('/')}/{self.name}".replace("//", "/")


TOPICS: tuple[Topic, ...] = (
    Topic("left/image_rect", Image, Maker.left),
    Topic("left/camera_info", CameraInfo, Maker.left_info),
    Topic("right/image_rect", Image, Maker.right),
    Topic("right/camera_info", CameraInfo, Maker.right_info),
    Topic("depth/image_rect", Image, Maker.depth),
    Topic("depth/camera_info", CameraInfo, Maker.left_info),
    Topic("disparity", DisparityImage, Maker.disparity),
    Topic("points", PointCloud2, Maker.points),
    Topic("scan", LaserScan, Maker.scan),
    Topic("odom", Odometry, Maker.odometry, "reliable"),
    Topic("/tf", TFMessage, Maker.tf, "reliable"),
    Topic("/tf_static", TFMessage, Maker.tf_static, "latched"),
    Topic("/diagnostics", DiagnosticArray, Maker.diagnostics, "reliable"),
)


def messages(maker: Maker, result: Result, wanted: Callable[[Topic], bool]) -> Iterator[tuple[Topic, Message]]:
    """The messages of a result on the topics that are ``wanted``."""
    for topic in TOPICS:
        if wanted(topic) and (message := topic.make(maker, result)) is not None:
            yield topic, message
