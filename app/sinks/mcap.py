"""Results as an MCAP file, which Foxglove and other tools open: image, depth, geometry, and pose where it is known.

Messages are JSON in Foxglove's schemas. Depth is ``16UC1``, millimetres along Z with 0 for unknown: as ``32FC1``
Foxglove would show metres as brightness. Chunks are small and synced, so that a power cut costs at most a second.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import cv2

from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import encode_depth_mm
from roma_device.runtime.types import Result

from . import SinkError
from .file_sink import left_image
from .growing_file import GrowingFile

NAME = "results.mcap"
FRAME_ID = "left_optical_frame"
JPEG_QUALITY = 90
CHUNK_BYTES = 64 << 10

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
TOPICS: dict[str, tuple[str, dict[str, Any]]] = {
    "/left/image": ("foxglove.CompressedImage", _object(**_HEAD, data=_BYTES, format=_TEXT)),
    "/depth": ("foxglove.RawImage", _object(**_HEAD, **_SIZE, encoding=_TEXT, step=_WHOLE, data=_BYTES)),
    "/left/calibration": (
        "foxglove.CameraCalibration",
        _object(**_HEAD, **_SIZE, distortion_model=_TEXT, D=_NUMBERS, K=_NUMBERS, R=_NUMBERS, P=_NUMBERS),
    ),
    "/pose": ("foxglove.PoseInFrame", _object(**_HEAD, pose=_object(position=_VECTOR, orientation=_QUATERNION))),
    "/odometry": ("foxglove.PoseInFrame", _object(**_HEAD, pose=_object(position=_VECTOR, orientation=_QUATERNION))),
}
"""Topic -> Foxglove's schema, by name and as JSON schema."""


class McapSink:
    """``results.mcap``, begun anew by each run; ``results-2.mcap`` and so on where one is resumed or had trouble."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: GrowingFile | None = None
        self._pending = _Pending()
        self._writer_of: Any = None
        self._writer: Any = None
        self._channels: dict[str, int] = {}
        self._epoch_ns: int | None = None  # since 1970, where the frames' clock is 0
        self._is_resumed = self._is_open = False

    def resume(self) -> None:
        """A file of its own: what is written cannot be added to."""
        self._is_resumed = True

    def __enter__(self) -> McapSink:
        try:
            from mcap.writer import Writer
        except ImportError:
            raise SinkError("saving mcap needs a package more: pip install 'roma-device[mcap]'") from None
        self._writer_of = Writer
        self._begin(self._free_path() if self._is_resumed else self._folder / NAME)
        self._is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        if self._file is None:
            return
        self._writer.finish()
        try:
            self._flush(self._file)
        finally:
            self._abandon()

    def write(self, result: Result) -> None:
        """Append the messages of one result; raises SinkError."""
        if not self._is_open:
            raise ValueError("results are written inside the sink's with block")
        image = encode_jpeg(result)
        if self._file is not None and self._file.is_gone:
            self._abandon()
        file = self._file or self._begin(self._free_path())
        self._add_all(result, image)
        self._flush(file)

    def _begin(self, path: Path) -> GrowingFile:
        self._pending = _Pending()
        self._writer = self._writer_of(self._pending, chunk_size=CHUNK_BYTES)
        self._writer.start(profile="", library="roma-device")
        for topic, (name, schema) in TOPICS.items():
            number = self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
            self._channels[topic] = self._writer.register_channel(topic, "json", number)
        file = GrowingFile(path, of_lines=False)
        file.begin()
        self._file = file
        return file

    def _flush(self, file: GrowingFile) -> None:
        """What the disk refuses ends this file, which stays readable up to there; the next result begins another."""
        data = self._pending.take()
        try:
            if data:
                file.append(data)
        except SinkError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
            with suppress(OSError):  # a full disk need not collect empty files
                if not self._file.path.stat().st_size:
                    self._file.path.unlink()
        self._file = None

    def _free_path(self) -> Path:
        path, numbers = self._folder / NAME, count(2)
        while path.exists():
            path = self._folder / NAME.replace(".", f"-{next(numbers)}.")
        return path

    def _add_all(self, result: Result, image: str) -> None:
        self._add(result, "/left/image", {"data": image, "format": "jpeg"})
        if result.rig is not None and result.rig.focal_px is not None:
            self._add(result, "/left/calibration", calibration_message(result.rig))
        if result.depth is not None:
            self._add(result, "/depth", depth_message(result))
        if result.frame.truth is not None and result.frame.truth.world_from_left is not None:
            self._add(result, "/pose", pose_message(result.frame.truth.world_from_left), "world")
        if result.pose is not None and result.pose.odom_from_camera is not None:
            self._add(result, "/odometry", pose_message(result.pose.odom_from_camera), "odom")

    def _add(self, result: Result, topic: str, fields: dict[str, Any], frame_id: str = FRAME_ID) -> None:
        now_ns = self._since_1970_ns(result.frame.timestamp_ns)
        sec, nsec = divmod(now_ns, 1_000_000_000)
        message = {"timestamp": {"sec": sec, "nsec": nsec}, "frame_id": frame_id, **fields}
        data = json.dumps(message, allow_nan=False).encode()
        self._writer.add_message(self._channels[topic], now_ns, data, now_ns, result.index)

    def _since_1970_ns(self, timestamp_ns: int) -> int:
        if self._epoch_ns is None:
            self._epoch_ns = time.time_ns() - timestamp_ns
        return self._epoch_ns + timestamp_ns


class _Pending:
    """What the writer has made and no file has yet; knows the place in the file, as the writer asks for it."""

    def __init__(self) -> None:
        self._data, self._before = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def tell(self) -> int:
        return self._before + len(self._data)

    def flush(self) -> None:
        """Nothing: only whole results go to the disk."""

    def take(self) -> bytes:
        data = bytes(self._data)
        self._before += len(data)
        self._data.clear()
        return data


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
    position = dict(zip("xyz", map(float, pose.translation_m), strict=True))
    orientation = dict(zip("xyzw", map(float, pose.quaternion), strict=True))
    return {"pose": {"position": position, "orientation": orientation}}
