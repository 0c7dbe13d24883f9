"""Simulated stereo rig in a ray-cast scene: images with ground-truth depth and camera pose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count

import cv2
import numpy as np

from roma_device.app.simulation.camera_space import SceneGeometry
from roma_device.app.simulation.paint.printed_textures import CHESSBOARD
from roma_device.app.simulation.paint.texture_atlas import paint_atlas
from roma_device.app.simulation.renderer import Renderer, SensorNoise, camera_rays, depth_along
from roma_device.app.simulation.scene import SKY_M, Scene
from roma_device.app.simulation.worlds.board import board as board_scene
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.app.simulation.worlds.rigs import AXES, LENSES, bumped, half_view_rad, virtual_rig
from roma_device.calibration.arrays import FloatImage, Image, Size
from roma_device.calibration.boards import parse_board
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import Frame, StereoFrame, Truth

from . import Camera
from .query import Query, usage

KEYS = ("seed", "frames", "size", "fps", "lens", "rig", "bump", "board", "oversample")
NOISE_GREY_LEVELS = 1.6
SMALLEST_PX, LARGEST_PX = 32, 4096
MOST_BUMP_DEG = 5


@dataclass(frozen=True, slots=True)
class SimulatedSpec:
    """What ``simulated:[SCENE][?seed=N&frames=N&size=WxH...]`` asks for."""

    scene: str  # default "room"
    seed: int  # default 0
    frames: int | None  # None, the default: without end
    size: Size  # in px, default 640x400
    fps: int = 30
    lens: str = "plumb_bob"
    rig: int = 0  # variant of the rig; 0: as designed
    bump: tuple[str, float] | None = None  # axis and degrees by which the right camera was knocked, unknown to it
    board: str | None = None  # what the scene "board" shows
    oversample: int = 1  # rays per pixel and axis

    @classmethod
    def parse(cls, text: str) -> SimulatedSpec:
        """Raises CameraError for an unknown scene, key or value."""
        scene, query = Query.split(text, "simulated camera", KEYS)
        if scene and scene not in SCENES:
            raise usage(f"unknown scene {scene!r}; known: {', '.join(SCENES)}")
        return cls(
            scene or "room",
            query.whole("seed", 0, 0),
            query.whole("frames", 0, 1) or None,
            query.size(SMALLEST_PX, LARGEST_PX) or Size(640, 400),
            query.whole("fps", 30, 1),
            query.choice("lens", "plumb_bob", LENSES),
            query.whole("rig", 0, 0),
            _bump(query.values["bump"]) if "bump" in query.values else None,
            query.values.get("board"),
            query.whole("oversample", 2 if scene == "board" else 1, 1, 8),
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

    Frames come as fast as they are taken, stamped 1/30 s apart from 0 on unless ``fps`` says otherwise.
    """

    def __init__(self, spec: SimulatedSpec) -> None:
        self._spec = spec
        self._calibration = virtual_rig(spec.size, spec.lens, spec.rig)
        self._actual = bumped(self._calibration, *spec.bump) if spec.bump else self._calibration
        scene = _scene(spec, half_view_rad(self._calibration.left))
        self._trajectory, self._geometry = scene.trajectory, SceneGeometry(scene)
        atlas = paint_atlas(scene, self._actual.left.fx, spec.seed)
        fine = self._actual.scaled(Size(spec.size[0] * spec.oversample, spec.size[1] * spec.oversample))
        self._renderers = [Renderer(self._geometry, atlas, camera) for camera in (fine.left, fine.right)]
        self._noise = SensorNoise(spec.size, NOISE_GREY_LEVELS, np.random.default_rng((spec.seed, 2)))
        rectification = Rectification.from_calibration(self._calibration)
        rig, rotation = rectification.rig, rectification.left_rotation
        ideal = CameraModel.pinhole(rig.size, rig.focal_px or 1.0, rig.focal_px or 1.0, rig.cx, rig.cy)
        self._rectified_rays = camera_rays(ideal)
        self._left_from_rectified = Pose(np.eye(3) if rotation is None else rotation.T, np.zeros(3))

    @classmethod
    def from_spec(cls, argument: str) -> SimulatedCamera:
        """From ``[SCENE][?KEY=VALUE&...]``; raises CameraError where that is not understood.

        Keys: seed, frames, size (WxH), fps, lens (plumb_bob, rational, fisheye), rig (a number: another copy of
        it), bump (roll:0.1, pitch or yaw in degrees: the right camera was knocked and its calibration does not
        know), board (what the scene "board" shows, such as charuco:8x6:30mm:22mm) and oversample (rays per pixel
        and axis; 2 in the scene "board", whose corners are measured to hundredths of a pixel, else 1).
        """
        return cls(SimulatedSpec.parse(argument))

    @property
    def calibration(self) -> StereoCalibration:
        """The rig's calibration: the true one, unless it was bumped."""
        return self._calibration

    @property
    def total_frames(self) -> int | None:
        """As asked for; None: without end."""
        return self._spec.frames

    def frames(self) -> Iterator[StereoFrame]:
        """Frames from the start of the path, each with its truth."""
        for sequence in count() if self._spec.frames is None else range(self._spec.frames):
            yield self._frame(sequence)

    def _frame(self, sequence: int) -> StereoFrame:
        timestamp_ns = sequence * (1_000_000_000 // self._spec.fps)
        world_from_left = self._trajectory.world_from_camera(timestamp_ns / 1e9)
        world_from_right = world_from_left @ self._actual.right_from_left.inverse()
        rng = np.random.default_rng((self._spec.seed, 3, sequence))
        images = [
            self._to_size(renderer.render(pose))
            for renderer, pose in zip(self._renderers, (world_from_left, world_from_right), strict=True)
        ]
        for image in images:
            self._noise.add(image, rng)
        left, right = (Frame(image, timestamp_ns, sequence) for image in images)
        return StereoFrame(left, right, SimulatedTruth(partial(self._depth_m, world_from_left), world_from_left))

    def _to_size(self, image: Image) -> Image:
        if self._spec.oversample == 1:
            return image
        return np.asarray(cv2.resize(image, self._spec.size, interpolation=cv2.INTER_AREA))

    def _depth_m(self, world_from_left: Pose) -> FloatImage:
        return depth_along(self._geometry, world_from_left @ self._left_from_rectified, self._rectified_rays, SKY_M)


def _scene(spec: SimulatedSpec, view_rad: tuple[float, float]) -> Scene:
    rng = np.random.default_rng((spec.seed, 1))
    if spec.scene != "board":
        return SCENES[spec.scene](rng)
    return board_scene(rng, parse_board(spec.board) if spec.board else CHESSBOARD, view_rad)


def _bump(text: str) -> tuple[str, float]:
    axis, _, angle = text.partition(":")
    try:
        angle_deg = float(angle)
    except ValueError:
        angle_deg = float("nan")
    if axis not in AXES or not abs(angle_deg) <= MOST_BUMP_DEG:
        raise usage(f"bump: {text!r} is not AXIS:DEGREES with roll, pitch or yaw and at most {MOST_BUMP_DEG} degrees")
    return axis, angle_deg
