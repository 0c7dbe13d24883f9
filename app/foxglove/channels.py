"""Channels: which message of a result goes where; each is made only when somebody wants it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roma_device.app.messages.clock import WallClock
from roma_device.runtime.types import Result

from . import fields
from .frames import CAMERA, GROUND, LEFT, ODOM, WORLD, transforms
from .wire import descriptor, encode

Fields = Mapping[str, Any]
PREVIEW_STRIDE = 4

STATUS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "roma_device.Status",
    "properties": {
        "index": {"type": "integer"},
        "known": {"type": "number"},
        "dropped": {"type": "integer"},
        "total_ms": {"type": "number"},
        "stages_ms": {"type": "object"},
        "pose": {"type": "string"},
        "obstacles": {"type": "object"},
    },
}


@dataclass(slots=True)
class Maker:
    """What messages need besides the result."""

    stride: int = 4  # of points
    clock: WallClock = field(default_factory=WallClock)
    _stamp: tuple[int, int] | None = None  # of the frame, and since 1970

    def head(self, result: Result, frame_id: str) -> dict[str, Any]:
        """Time stamp and frame."""
        return {"timestamp": self.stamp(result), "frame_id": frame_id}

    def stamp_ns(self, result: Result) -> int:
        """ns since 1970, the same one for all messages of a result."""
        if self._stamp is None or self._stamp[0] != result.frame.timestamp_ns:
            self._stamp = result.frame.timestamp_ns, self.clock.stamp_ns(result.frame.timestamp_ns)
        return self._stamp[1]

    def stamp(self, result: Result) -> Fields:
        seconds, nanos = divmod(self.stamp_ns(result), 1_000_000_000)
        return {"seconds": seconds, "nanos": nanos}

    def left(self, result: Result) -> Fields:
        return self.head(result, LEFT) | fields.compressed_image(result)

    def depth(self, result: Result) -> Fields | None:
        return None if result.depth is None else self.head(result, LEFT) | fields.depth_image(result.depth)

    def depth_png(self, result: Result) -> Fields | None:
        return None if result.depth is None else self.head(result, LEFT) | fields.compressed_depth(result.depth)

    def depth_preview(self, result: Result) -> Fields | None:
        depth = result.depth
        return None if depth is None else self.head(result, LEFT) | fields.depth_image(depth, PREVIEW_STRIDE)

    def calibration(self, result: Result) -> Fields | None:
        if result.rig is None or result.rig.focal_px is None:
            return None
        return self.head(result, LEFT) | fields.calibration(result.rig)

    def points(self, result: Result) -> Fields | None:
        return None if result.depth is None else self.head(result, LEFT) | fields.point_cloud(result, self.stride)

    def true_pose(self, result: Result) -> Fields | None:
        truth = result.frame.truth
        if truth is None or truth.world_from_left is None:
            return None
        return self.head(result, WORLD) | {"pose": fields.pose(truth.world_from_left)}

    def odometry(self, result: Result) -> Fields | None:
        if result.pose is None or result.pose.odom_from_camera is None:
            return None
        return self.head(result, ODOM) | {"pose": fields.pose(result.pose.odom_from_camera)}

    def transforms(self, result: Result) -> Fields:
        stamp = self.stamp(result)
        return {"transforms": [{"timestamp": stamp, **each} for each in transforms(result)]}

    def scan(self, result: Result) -> Fields | None:
        if result.obstacles is not None:
            if result.obstacles.ground is None:
                return None
            return self.head(result, GROUND) | fields.obstacle_scan(result.obstacles)
        return None if result.depth is None else self.head(result, CAMERA) | fields.depth_scan(result)

    def status(self, result: Result) -> Fields:
        return fields.status(result)


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic, the schema of its messages, and who makes them; without a schema's name they are JSON."""

    topic: str
    schema_name: str | None
    make: Callable[[Maker, Result], Fields | None]
    in_file: bool = True  # points are in the depth already, and large

    @property
    def encoding(self) -> str:
        return "json" if self.schema_name is None else "protobuf"

    def schema(self) -> tuple[str, str, bytes]:
        """Name, encoding and content."""
        if self.schema_name is None:
            return STATUS_SCHEMA["title"], "jsonschema", json.dumps(STATUS_SCHEMA).encode()
        return self.schema_name, "protobuf", descriptor(self.schema_name)

    def encode(self, message: Fields) -> bytes:
        if self.schema_name is None:
            return json.dumps(message, allow_nan=False).encode()
        return encode(self.schema_name, message)


CHANNELS: tuple[Channel, ...] = (
    Channel("/left/image", "foxglove.CompressedImage", Maker.left),
    Channel("/left/calibration", "foxglove.CameraCalibration", Maker.calibration),
    Channel("/depth", "foxglove.RawImage", Maker.depth),
    Channel("/points", "foxglove.PointCloud", Maker.points, in_file=False),
    Channel("/tf", "foxglove.FrameTransforms", Maker.transforms),
    Channel("/pose", "foxglove.PoseInFrame", Maker.true_pose),
    Channel("/odometry", "foxglove.PoseInFrame", Maker.odometry),
    Channel("/scan", "foxglove.LaserScan", Maker.scan),
    Channel("/status", None, Maker.status),
)

_AS_PNG = (
    Channel("/depth", "foxglove.CompressedImage", Maker.depth_png),
    Channel("/depth/preview", "foxglove.RawImage", Maker.depth_preview),
)
DEPTH_AS_PNG = tuple(each for one in CHANNELS for each in (_AS_PNG if one.topic == "/depth" else (one,)))
"""The same with depth as PNG, which is smaller, but which Foxglove shows with 8 bits: so every fourth pixel of each row
and column is there in millimetres, too."""


def encoded(
    maker: Maker, result: Result, wanted: Callable[[Channel], bool], channels: tuple[Channel, ...] = CHANNELS
) -> Iterator[tuple[Channel, bytes]]:
    """The messages of a result on those of the ``channels`` that are ``wanted``."""
    for channel in channels:
        if wanted(channel) and (message := channel.make(maker, result)) is not None:
            yield channel, channel.encode(message)
