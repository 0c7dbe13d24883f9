"""Dense stereo depth and pose in your own program.

>>> from roma_device import StereoDepth
>>> with StereoDepth("v4l2:LEFT,RIGHT", calibration="rig.yaml") as stereo:
...     for frame in stereo:
...         print(frame.depth_m[200, 320], frame.confidence[200, 320])

What ``__all__`` names is stable and documented in docs/python.md; it is loaded on first use. Errors are RomaError:
one sentence that says what is wrong and what to do. Nothing is printed or logged unless ``enable_logging`` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roma_device.app.cameras import Camera as Camera
    from roma_device.app.cameras import CameraError as CameraError
    from roma_device.app.cameras import CaptureCounts as CaptureCounts
    from roma_device.app.cameras import LiveCamera as LiveCamera
    from roma_device.app.matchers import PairMatcher as PairMatcher
    from roma_device.app.sinks import Sink as Sink
    from roma_device.app.sinks import SinkError as SinkError
    from roma_device.calibration.arrays import Size as Size
    from roma_device.calibration.camera import CameraModel as CameraModel
    from roma_device.calibration.errors import CalibrationError as CalibrationError
    from roma_device.calibration.errors import RomaError as RomaError
    from roma_device.calibration.pose import Pose as Pose
    from roma_device.calibration.rectify import RectifiedRig as RectifiedRig
    from roma_device.calibration.rig import StereoCalibration as StereoCalibration
    from roma_device.runtime.card import ModelCard as ModelCard
    from roma_device.runtime.depth import PointCloud as PointCloud
    from roma_device.runtime.engine import Engine as Engine
    from roma_device.runtime.engine import EngineError as EngineError
    from roma_device.runtime.engine import EngineOptions as EngineOptions
    from roma_device.runtime.engine import NpuOptions as NpuOptions
    from roma_device.runtime.matching_network import NetworkOptions as NetworkOptions
    from roma_device.runtime.obstacles.obstacle_map import ObstacleMap as ObstacleMap
    from roma_device.runtime.odometry.stereo_odometry import OdometryOptions as OdometryOptions
    from roma_device.runtime.pose_estimate import PoseEstimate as PoseEstimate
    from roma_device.runtime.relative_pose.result import RelativePose as RelativePose
    from roma_device.runtime.types import Frame as Frame
    from roma_device.runtime.types import Result as Result
    from roma_device.runtime.types import StereoFrame as StereoFrame

    from .calibrations import Rectifier as Rectifier
    from .calibrations import calibrate as calibrate
    from .calibrations import load_calibration as load_calibration
    from .calibrations import save_calibration as save_calibration
    from .depth_frame import DepthFrame as DepthFrame
    from .extensions import register_camera as register_camera
    from .extensions import register_engine as register_engine
    from .extensions import register_sink as register_sink
    from .log import enable_logging as enable_logging
    from .pair_pose import open_matcher as open_matcher
    from .pair_pose import relative_pose as relative_pose
    from .stereo_depth import StereoDepth as StereoDepth

    __version__: str

_HOMES = {
    "CalibrationError": "calibration.errors",
    "Camera": "app.cameras",
    "CameraError": "app.cameras",
    "CameraModel": "calibration.camera",
    "CaptureCounts": "app.cameras",
    "DepthFrame": "depth_frame",
    "Engine": "runtime.engine",
    "EngineError": "runtime.engine",
    "EngineOptions": "runtime.engine",
    "Frame": "runtime.types",
    "LiveCamera": "app.cameras",
    "ModelCard": "runtime.card",
    "NetworkOptions": "runtime.matching_network",
    "NpuOptions": "runtime.engine",
    "ObstacleMap": "runtime.obstacles.obstacle_map",
    "OdometryOptions": "runtime.odometry.stereo_odometry",
    "PairMatcher": "app.matchers",
    "PointCloud": "runtime.depth",
    "Pose": "calibration.pose",
    "PoseEstimate": "runtime.pose_estimate",
    "RectifiedRig": "calibration.rectify",
    "Rectifier": "calibrations",
    "RelativePose": "runtime.relative_pose.result",
    "Result": "runtime.types",
    "RomaError": "calibration.errors",
    "Sink": "app.sinks",
    "SinkError": "app.sinks",
    "Size": "calibration.arrays",
    "StereoCalibration": "calibration.rig",
    "StereoDepth": "stereo_depth",
    "StereoFrame": "runtime.types",
    "calibrate": "calibrations",
    "enable_logging": "log",
    "load_calibration": "calibrations",
    "open_matcher": "pair_pose",
    "register_camera": "extensions",
    "register_engine": "extensions",
    "register_sink": "extensions",
    "relative_pose": "pair_pose",
    "save_calibration": "calibrations",
}
"""Name -> the module below ``roma_device`` that defines it."""

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("roma-device")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
