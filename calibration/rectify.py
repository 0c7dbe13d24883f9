"""Stereo rectification (Bouguet): from two raw images to a pair whose epipolar lines are its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, FloatImage, Size
from .camera import CameraModel
from .errors import CalibrationError
from .pose import Pose
from .rig import StereoCalibration

View = Literal["native", "full", "inside"]
"""What the rectified image shows: the middle of the raw one at its own scale; all of it, with black borders; or as
much as fits without black borders."""

WIDEST_SLOPE = 3.0
"""Rays farther than this from the axis (72 degrees) cannot be shown in a flat image of any use."""

MapPair = tuple[FloatImage, FloatImage]


@dataclass(frozen=True, slots=True)
class RectifiedRig:
    """Rectified rig: two ideal pinhole cameras side by side that differ in their x position alone.

    ``focal_px`` and ``baseline_m`` may be unknown (None) for pairs that came rectified: then there
    is disparity but no metric depth. ``disparity_offset_px`` is ``cx_right - cx_left``
    (Middlebury's ``doffs``): a point at infinity has the disparity ``-disparity_offset_px``.
    """

    size: Size
    focal_px: float | None
    baseline_m: float | None
    cx: float
    cy: float
    disparity_offset_px: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("focal_px", self.focal_px), ("baseline_m", self.baseline_m)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise CalibrationError(f"{name} is {value}: it must be a positive number")

    @property
    def is_metric(self) -> bool:
        return self.focal_px is not None and self.baseline_m is not None

    def scaled(self, size: Size) -> RectifiedRig:
        """The rig after both images are resized to ``size``."""
        sx, sy = size[0] / self.size[0], size[1] / self.size[1]
        return replace(
            self,
            size=size,
            focal_px=None if self.focal_px is None else self.focal_px * sx,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            disparity_offset_px=self.disparity_offset_px * sx,
        )


@dataclass(frozen=True, eq=False)
class Rectification:
    """Stereo rectification: how to make the rectified pair from the raw one, at any resolution.

    ``calibration`` is None for pairs that are rectified already: then images are only resized.
    """

    rig: RectifiedRig
    calibration: StereoCalibration | None = None
    left_rotation: FloatArray | None = None  # (3, 3) rectified from raw left
    right_rotation: FloatArray | None = None

    @classmethod
    def identity(cls, rig: RectifiedRig) -> Rectification:
        """For pairs that are rectified already."""
        return cls(rig)

    @classmethod
    def from_calibration(cls, calibration: StereoCalibration, view: View = "native") -> Rectification:
        """Bouguet's rectification with zero disparity at infinity, at the raw image size.

        Source: OpenCV's stereoRectify. For "native" the common focal length is the mean of both cameras', and the
        principal point keeps the image centres' rays in the middle, so that nothing is cropped by scale. The
        others fit the image borders of both cameras into the image, or the image into them.
        """
        rotations = _bouguet_rotations(calibration.right_from_left)
        left, right = calibration.left, calibration.right
        sides = list(zip((left, right), rotations, strict=True))
        width, height = left.size
        if view == "native":
            focal_px = (left.fx + left.fy + right.fx + right.fy) / 4
            centres = [_centre_of_view(camera, rotation, focal_px) for camera, rotation in sides]
            cx, cy = (np.array([(width - 1) / 2, (height - 1) / 2]) - np.mean(centres, axis=0)).tolist()
        else:
            borders = [_border(camera, rotation) for camera, rotation in sides]
            focal_px, cx, cy = _fitted_view(borders, left.size, view == "inside")
        rig = RectifiedRig(left.size, focal_px, calibration.baseline_m, cx, cy)
        return cls(rig, calibration, *rotations)

    def maps(self, size: Size) -> tuple[MapPair, MapPair] | None:
        """Maps for cv2.remap from the raw images straight to rectified ones of ``size``.

        None where the pair is rectified already.
        """
        scaled = self.rig.scaled(size)
        left, right = self._maps_to(scaled, right=False), self._maps_to(scaled, right=True)
        return None if left is None or right is None else (left, right)

    @cached_property
    def left_maps(self) -> MapPair | None:
        """The left camera's maps at its own resolution, made once; None where the pair is rectified already."""
        return self._maps_to(self.rig, right=False)

    @cached_property
    def right_maps(self) -> MapPair | None:
        """The right camera's, as ``left_maps``."""
        return self._maps_to(self.rig, right=True)

    def _maps_to(self, scaled: RectifiedRig, right: bool) -> MapPair | None:
        rotation = self.right_rotation if right else self.left_rotation
        if self.calibration is None or rotation is None:
            return None
        return _maps(self.calibration.right if right else self.calibration.left, rotation, self.rig, scaled)

    def points(self, pixels: npt.ArrayLike, right: bool = False) -> FloatArray:
        """Pixels (N, 2) of a raw image -> where they lie in its rectified one, at the raw image size.

        NaN for what lies behind the rectified camera.
        """
        if self.calibration is None or self.left_rotation is None or self.right_rotation is None:
            return np.asarray(pixels, np.float64).reshape(-1, 2)
        camera = self.calibration.right if right else self.calibration.left
        rays = camera.unproject(pixels) @ (self.right_rotation if right else self.left_rotation).T
        depth = np.where(rays[:, 2:] > 1e-6, rays[:, 2:], np.nan)
        return np.asarray((self.rig.focal_px or 1.0) * rays[:, :2] / depth + np.array([self.rig.cx, self.rig.cy]))


def _bouguet_rotations(right_from_left: Pose) -> tuple[FloatArray, FloatArray]:
    """Rotations (rectified from raw) that turn both cameras by half and align x with the baseline."""
    half = Pose.from_rotation_vector(right_from_left.rotation_vector / 2, np.zeros(3)).rotation
    baseline = -(half.T @ right_from_left.translation_m)
    x_axis = baseline / np.linalg.norm(baseline)
    z_axis = np.cross(x_axis, [0.0, 1.0, 0.0])
    z_axis /= np.linalg.norm(z_axis)
    common = np.vstack([x_axis, np.cross(z_axis, x_axis), z_axis])
    return common @ half, common @ half.T


def _centre_of_view(camera: CameraModel, rotation: FloatArray, focal_px: float) -> FloatArray:
    """Where the raw image's middle falls in the rectified image, relative to the principal point, px."""
    middle = [[(camera.size[0] - 1) / 2, (camera.size[1] - 1) / 2]]
    ray = rotation @ camera.unproject(middle)[0]
    return np.asarray(focal_px * ray[:2] / ray[2])


def _border(camera: CameraModel, rotation: FloatArray) -> list[FloatArray]:
    """Normalized coordinates (K, 2) of the raw image's left, right, upper and lower edge in the rectified frame."""
    width, height = camera.size
    along = np.linspace(0, 1, 65)[:, None]
    ends = [((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1))]
    edges = []
    for start, end in ends:
        pixels = (np.array(start) + along * (np.array(end) - start)) * [width - 1, height - 1]
        rays = camera.unproject(pixels) @ rotation.T
        normalized = rays[:, :2] / np.maximum(rays[:, 2:], 1e-3)
        edges.append(np.clip(normalized, -WIDEST_SLOPE, WIDEST_SLOPE))
    return edges


def _fitted_view(borders: list[list[FloatArray]], size: Size, inside: bool) -> tuple[float, float, float]:
    """Focal length and principal point that show everything, or (inside) only what both images have.

    Edges bend: the range that is inside of an edge everywhere is shown for the one, that is outside for the other.
    """
    low, high = (max, min) if inside else (min, max)
    inner, outer = (np.max, np.min) if inside else (np.min, np.max)
    left, right = low(inner(edges[0][:, 0]) for edges in borders), high(outer(edges[1][:, 0]) for edges in borders)
    top, bottom = low(inner(edges[2][:, 1]) for edges in borders), high(outer(edges[3][:, 1]) for edges in borders)
    scales = [(length - 1) / span for length, span in zip(size, (right - left, bottom - top), strict=True)]
    focal_px = float(max(scales) if inside else min(scales))
    cx = (size[0] - 1) / 2 - focal_px * (left + right) / 2
    cy = (size[1] - 1) / 2 - focal_px * (top + bottom) / 2
    return focal_px, float(cx), float(cy)


def _maps(camera: CameraModel, rotation: FloatArray, rig: RectifiedRig, scaled: RectifiedRig) -> MapPair:
    fy = (rig.focal_px or 1.0) * scaled.size[1] / rig.size[1]
    matrix = np.array([[scaled.focal_px or 1.0, 0, scaled.cx], [0, fy, scaled.cy], [0, 0, 1.0]])
    module = cv2.fisheye if camera.model == "equidistant" else cv2
    map_x, map_y = module.initUndistortRectifyMap(
        camera.matrix, camera.distortion, rotation, matrix, scaled.size, cv2.CV_32FC1
    )
    return map_x, map_y
