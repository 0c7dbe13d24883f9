"""Message types of ROS 2, field by field as its definitions have them; ``TYPE`` is the name in full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatArray


class Message(Protocol):
    """Any of the types below."""

    TYPE: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Time:
    """Since 1970."""

    TYPE: ClassVar[str] = "builtin_interfaces/msg/Time"
    sec: int
    nanosec: int

    @classmethod
    def of(cls, stamp_ns: int) -> Time:
        return cls(*divmod(stamp_ns, 1_000_000_000))


@dataclass(frozen=True, slots=True)
class Header:
    TYPE: ClassVar[str] = "std_msgs/msg/Header"
    stamp: Time
    frame_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    TYPE: ClassVar[str] = "sensor_msgs/msg/Image"
    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: AnyArray  # (N,) uint8


@dataclass(frozen=True, slots=True)
class RegionOfInterest:
    TYPE: ClassVar[str] = "sensor_msgs/msg/RegionOfInterest"
    x_offset: int = 0
    y_offset: int = 0
    height: int = 0
    width: int = 0
    do_rectify: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CameraInfo:
    TYPE: ClassVar[str] = "sensor_msgs/msg/CameraInfo"
    header: Header
    height: int
    width: int
    distortion_model: str
    d: FloatArray
    k: FloatArray  # (9,)
    r: FloatArray  # (9,)
    p: FloatArray  # (12,)
    binning_x: int = 0
    binning_y: int = 0
    roi: RegionOfInterest = field(default_factory=RegionOfInterest)


@dataclass(frozen=True, slots=True, eq=False)
class DisparityImage:
    TYPE: ClassVar[str] = "stereo_msgs/msg/DisparityImage"
    header: Header
    image: Image
    f: float  # px
    t: float  # baseline, m
    valid_window: RegionOfInterest
    min_disparity: float
    max_disparity: float
    delta_d: float


@dataclass(frozen=True, slots=True)
class PointField:
    TYPE: ClassVar[str] = "sensor_msgs/msg/PointField"
    name: str
    offset: int
    datatype: int  # 7: FLOAT32
    count: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud2:
    TYPE: ClassVar[str] = "sensor_msgs/msg/PointCloud2"
    header: Header
    height: int
    width: int
    fields: list[PointField]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: AnyArray  # (N,) uint8
    is_dense: bool


@dataclass(frozen=True, slots=True)
class Vector3:
    TYPE: ClassVar[str] = "geometry_msgs/msg/Vector3"
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


@dataclass(frozen=True, slots=True)
class Point(Vector3):
    TYPE: ClassVar[str] = "geometry_msgs/msg/Point"


@dataclass(frozen=True, slots=True)
class Quaternion:
    TYPE: ClassVar[str] = "geometry_msgs/msg/Quaternion"
    x: float
    y: float
    z: float
    w: float


@dataclass(frozen=True, slots=True)
class Transform:
    TYPE: ClassVar[str] = "geometry_msgs/msg/Transform"
    translation: Vector3
    rotation: Quaternion


@dataclass(frozen=True, slots=True)
class TransformStamped:
    TYPE: ClassVar[str] = "geometry_msgs/msg/TransformStamped"
    header: Header
    child_frame_id: str
    transform: Transform


@dataclass(frozen=True, slots=True)
class TFMessage:
    TYPE: ClassVar[str] = "tf2_msgs/msg/TFMessage"
    transforms: list[TransformStamped]


@dataclass(frozen=True, slots=True)
class Pose:
    TYPE: ClassVar[str] = "geometry_msgs/msg/Pose"
    position: Point
    orientation: Quaternion


@dataclass(frozen=True, slots=True, eq=False)
class PoseWithCovariance:
    TYPE: ClassVar[str] = "geometry_msgs/msg/PoseWithCovariance"
    pose: Pose
    covariance: FloatArray  # (36,)


@dataclass(frozen=True, slots=True)
class Twist:
    TYPE: ClassVar[str] = "geometry_msgs/msg/Twist"
    linear: Vector3 = field(default_factory=Vector3)
    angular: Vector3 = field(default_factory=Vector3)


@dataclass(frozen=True, slots=True, eq=False)
class TwistWithCovariance:
    TYPE: ClassVar[str] = "geometry_msgs/msg/TwistWithCovariance"
    twist: Twist
    covariance: FloatArray  # (36,)


@dataclass(frozen=True, slots=True, eq=False)
class Odometry:
    TYPE: ClassVar[str] = "nav_msgs/msg/Odometry"
    header: Header
    child_frame_id: str
    pose: PoseWithCovariance
    twist: TwistWithCovariance


@dataclass(frozen=True, slots=True, eq=False)
class LaserScan:
    TYPE: ClassVar[str] = "sensor_msgs/msg/LaserScan"
    header: Header
    angle_min: float
    angle_max: float
    angle_increment: float
    time_increment: float
    scan_time: float
    range_min: float
    range_max: float
    ranges: AnyArray  # (N,) float32
    intensities: AnyArray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class KeyValue:
    TYPE: ClassVar[str] = "diagnostic_msgs/msg/KeyValue"
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DiagnosticStatus:
    TYPE: ClassVar[str] = "diagnostic_msgs/msg/DiagnosticStatus"
    level: int  # 0 ok, 1 warn, 2 error
    name: str
    message: str
    hardware_id: str
    values: list[KeyValue]


@dataclass(frozen=True, slots=True)
class DiagnosticArray:
    TYPE: ClassVar[str] = "diagnostic_msgs/msg/DiagnosticArray"
    header: Header
    status: list[DiagnosticStatus]
