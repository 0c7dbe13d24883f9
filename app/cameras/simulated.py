"""A virtual stereo rig in a virtual world whose truth is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from types import TracebackType
from urllib.parse import parse_qsl

import numpy as np

from roma_device.app.simulation.atlas import paint_atlas
from roma_device.app.simulation.noise import SensorNoise
from roma_device.app.simulation.posed import SceneGeometry
from roma_device.app.simulation.renderer import Renderer, camera_rays, depth_along
from roma_device.app.simulation.scene import SKY_M
from roma_device.app.simulation.scenes import SCENES
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import FloatImage, Frame, StereoFrame, Truth

from . import Camera, CameraError

FRAME_PERIOD_NS = 1_000_000_000 // 30
NOISE_GREY_LEVELS = 1.6
SMALLEST_PX, LARGEST_PX = 32, 4096


@dataclass(frozen=True, slots=True)
class SimulatedSpec:
    """What ``simulated:[SCENE][?seed=N&frames=N&size=WxH]`` asks for."""

    scene: str  # default "room"
    seed: int  # default 0
    frames: int | None  # None, the default: without end
    size: tuple[int, int]  # width, height in px, default 640x400

    @classmethod
    def parse(cls, text: str) -> SimulatedSpec:
        """Raises CameraError for an unknown scene, key or value."""
        scene, _, query = text.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(values.keys() - {"seed", "frames", "size"})
        if unknown:
            raise _usage(f"unknown option {unknown[0]!r} of the simulated camera; known: seed, frames, size")
        if scene and scene not in SCENES:
            raise _usage(f"unknown scene {scene!r}; known: {', '.join(SCENES)}")
        return cls(
            scene or "room",
            _number("seed", values.get("seed", "0"), 0),
            _number("frames", values["frames"], 1) if "frames" in values else None,
            _size(values.get("size", "640x400")),
        )


class SimulatedTruth(Truth):
    """Truth whose depth is computed when it is first asked for: most programs never ask."""

    compute_depth_m: Callable[[], FloatImage]

    def __init__(self, depth: Callable[[], FloatImage], world_from_left: Pose) -> None:
        object.__setattr__(self, "compute_depth_m", depth)
        object.__setattr__(self, "world_from_left", world_from_left)

    @cached_property
    def depth_m(self) -> FloatImage:
        return self.compute_depth_m()


class SimulatedCamera(Camera):
    """Two distorted, noisy cameras that sway through a scene, the same way for the same seed.

    Frames come as fast as they are taken, stamped 1/30 s apart from 0 on.
    """

    def __init__(self, spec: SimulatedSpec) -> None:
        self._spec = spec
        self._calibration = virtual_rig(spec.size)
        scene = SCENES[spec.scene](np.random.default_rng((spec.seed, 1)))
        self._trajectory, self._geometry = scene.trajectory, SceneGeometry(scene)
        cameras = self._calibration.left, self._calibration.right
        atlas = paint_atlas(scene, cameras[0].fx, spec.seed)
        self._renderers = [Renderer(self._geometry, atlas, camera) for camera in cameras]
        self._noise = SensorNoise(spec.size, NOISE_GREY_LEVELS, np.random.default_rng((spec.seed, 2)))
        rectification = Rectification.from_calibration(self._calibration)
        rig, rotation = rectification.rig, rectification.left_rotation
        ideal = CameraModel.pinhole(rig.size, rig.focal_px or 1.0, rig.focal_px or 1.0, rig.cx, rig.cy)
        self._rectified_rays = camera_rays(ideal)
        self._left_from_rectified = Pose(np.eye(3) if rotation is None else rotation.T, np.zeros(3))

    @classmethod
    def from_spec(cls, argument: str) -> SimulatedCamera:
        """From ``[SCENE][?seed=N&frames=N&size=WxH]``; raises CameraError where that is not understood."""
        return cls(SimulatedSpec.parse(argument))

    @property
    def calibration(self) -> StereoCalibration:
        """The rig's true calibration."""
        return self._calibration

    def frames(self) -> Iterator[StereoFrame]:
        """Frames from the start of the path, each with its truth."""
        for sequence in count() if self._spec.frames is None else range(self._spec.frames):
            yield self._frame(sequence)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def _frame(self, sequence: int) -> StereoFrame:
        timestamp_ns = sequence * FRAME_PERIOD_NS
        world_from_left = self._trajectory.world_from_camera(timestamp_ns / 1e9)
        world_from_right = world_from_left @ self._calibration.right_from_left.inverse()
        rng = np.random.default_rng((self._spec.seed, 3, sequence))
        images = [
            renderer.render(pose)
            for renderer, pose in zip(self._renderers, (world_from_left, world_from_right), strict=True)
        ]
        for image in images:
            self._noise.add(image, rng)
        left, right = (Frame(image, timestamp_ns, sequence) for image in images)
        return StereoFrame(left, right, SimulatedTruth(partial(self._depth_m, world_from_left), world_from_left))

    def _depth_m(self, world_from_left: Pose) -> FloatImage:
        return depth_along(self._geometry, world_from_left @ self._left_from_rectified, self._rectified_rays, SKY_M)


def virtual_rig(size: tuple[int, int]) -> StereoCalibration:
    """A rig as one comes from the factory: lenses that differ a little, cameras that are not quite parallel.

    12 cm apart, a focal length of about 0.75 image widths; ``size`` is (width, height) in px.
    """
    width, height = size

    def camera(fx: float, fy: float, shift: tuple[float, float], distortion: list[float]) -> CameraModel:
        cx, cy = (width - 1) / 2 + shift[0] * width, (height - 1) / 2 + shift[1] * width
        matrix = np.array([[fx * width, 0, cx], [0, fy * width, cy], [0, 0, 1]])
        return CameraModel(size, matrix, np.array(distortion))

    left = camera(0.7500, 0.7494, (0.006, -0.004), [-0.142, 0.036, 4e-4, -3e-4, 0.0])
    right = camera(0.7531, 0.7527, (-0.005, 0.003), [-0.136, 0.033, -3e-4, 5e-4, 0.0])
    right_from_left = Pose.from_rotation_vector([0.004, -0.011, 0.006], [-0.12, 0.0012, -0.0009])
    return StereoCalibration(left, right, right_from_left, serial="simulated")


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not cross:
        raise _usage(f"size={text} of the simulated camera is not WIDTHxHEIGHT, such as 640x400")
    return _number("size", width, SMALLEST_PX, LARGEST_PX), _number("size", height, SMALLEST_PX, LARGEST_PX)


def _number(key: str, text: str, least: int, most: int = 2**31) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise _usage(f"{key}: {text!r} is not a whole number from {least} to {most}")
    return int(text)


def _usage(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_USAGE)
