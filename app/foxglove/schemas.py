"""Schemas of Foxglove's messages (https://docs.foxglove.dev/docs/sdk/schemas) that results go into."""

from __future__ import annotations

from typing import NamedTuple

NUMBERS = {"double": 1, "int64": 3, "int32": 5, "fixed32": 7, "string": 9, "bytes": 12}
"""Scalar kinds, as FieldDescriptorProto numbers them."""

ENUMS = {
    "foxglove.PackedElementField.NumericType": (
        "UNKNOWN",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "UINT32",
        "INT32",
        "FLOAT32",
        "FLOAT64",
    )
}
"""Enumeration -> names of its values from 0 on."""

UINT8, FLOAT32 = 1, 7


class Field(NamedTuple):
    """A field of a message."""

    number: int
    name: str
    kind: str  # one of NUMBERS, ENUMS or MESSAGES
    repeated: bool = False


_TIME = "google.protobuf.Timestamp"
_VECTOR, _TURN, _POSE = "foxglove.Vector3", "foxglove.Quaternion", "foxglove.Pose"

MESSAGES: dict[str, tuple[Field, ...]] = {
    _TIME: (Field(1, "seconds", "int64"), Field(2, "nanos", "int32")),
    _VECTOR: tuple(Field(number, name, "double") for number, name in enumerate("xyz", 1)),
    _TURN: tuple(Field(number, name, "double") for number, name in enumerate("xyzw", 1)),
    _POSE: (Field(1, "position", _VECTOR), Field(2, "orientation", _TURN)),
    "foxglove.CompressedImage": (
        Field(1, "timestamp", _TIME),
        Field(4, "frame_id", "string"),
        Field(2, "data", "bytes"),
        Field(3, "format", "string"),
    ),
    "foxglove.RawImage": (
        Field(1, "timestamp", _TIME),
        Field(7, "frame_id", "string"),
        Field(2, "width", "fixed32"),
        Field(3, "height", "fixed32"),
        Field(4, "encoding", "string"),
        Field(5, "step", "fixed32"),
        Field(6, "data", "bytes"),
    ),
    "foxglove.CameraCalibration": (
        Field(1, "timestamp", _TIME),
        Field(9, "frame_id", "string"),
        Field(2, "width", "fixed32"),
        Field(3, "height", "fixed32"),
        Field(4, "distortion_model", "string"),
        *(Field(number, name, "double", True) for number, name in enumerate("DKRP", 5)),
    ),
    "foxglove.PoseInFrame": (Field(1, "timestamp", _TIME), Field(2, "frame_id", "string"), Field(3, "pose", _POSE)),
    "foxglove.FrameTransform": (
        Field(1, "timestamp", _TIME),
        Field(2, "parent_frame_id", "string"),
        Field(3, "child_frame_id", "string"),
        Field(4, "translation", _VECTOR),
        Field(5, "rotation", _TURN),
    ),
    "foxglove.FrameTransforms": (Field(1, "transforms", "foxglove.FrameTransform", True),),
    "foxglove.LaserScan": (
        Field(1, "timestamp", _TIME),
        Field(2, "frame_id", "string"),
        Field(3, "pose", _POSE),
        Field(4, "start_angle", "double"),
        Field(5, "end_angle", "double"),
        Field(6, "ranges", "double", True),
        Field(7, "intensities", "double", True),
    ),
    "foxglove.PackedElementField": (
        Field(1, "name", "string"),
        Field(2, "offset", "fixed32"),
        Field(3, "type", "foxglove.PackedElementField.NumericType"),
    ),
    "foxglove.PointCloud": (
        Field(1, "timestamp", _TIME),
        Field(2, "frame_id", "string"),
        Field(3, "pose", _POSE),
        Field(4, "point_stride", "fixed32"),
        Field(5, "fields", "foxglove.PackedElementField", True),
        Field(6, "data", "bytes"),
    ),
}
"""Message -> its fields, each after those that it holds."""


def package_of(name: str) -> tuple[str, str]:
    """Package and short name of a message."""
    package, _, short = name.rpartition(".")
    return package, short


def file_of(name: str) -> str:
    """The file that declares the message."""
    package, short = package_of(name)
    return "google/protobuf/timestamp.proto" if name == _TIME else f"{package}/{short}.proto"
