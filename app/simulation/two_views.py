"""Simulated matches of two views with known relative pose: scene points, noise and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.types import Matches

MEAN_DEPTH_M = 4.0


@dataclass(frozen=True, slots=True)
class TwoViewSpec:
    """What is simulated; the default is an ordinary pair."""

    points: int = 500
    outliers: float = 0.3  # share of matches that are anywhere
    noise_px: float = 0.5  # sigma of each coordinate in both images
    baseline: float = 0.1  # length of the translation over the mean depth
    turn_rad: float = 0.1  # sigma of each of the rotation's numbers
    is_plane: bool = False  # all points on one plane


@dataclass(frozen=True, slots=True, eq=False)
class TwoViews:
    """Matches and the truth."""

    pairs: PointPairs
    camera: CameraModel  # of both views
    b_from_a: Pose
    is_true: np.ndarray[tuple[int], np.dtype[np.bool_]]  # (N,) which matches are not wrong


def simulate_two_views(spec: TwoViewSpec, seed: int) -> TwoViews:
    """A pair at 640x480 px with points 2 to 6 m away, moved in a random direction."""
    rng, camera = np.random.default_rng(seed), _camera()
    b_from_a = _motion(spec, rng)
    rays = camera.unproject(rng.uniform(0, [639, 479], (spec.points, 2)))
    normal = np.array([*rng.normal(0, 0.3, 2), 1.0])
    depth_m = MEAN_DEPTH_M / (rays @ normal) if spec.is_plane else rng.uniform(2, 6, spec.points)
    points_m = rays * depth_m[:, None]
    moved_m = b_from_a.apply(points_m)
    a, b = (camera.project(points) + rng.normal(0, spec.noise_px, (spec.points, 2)) for points in (points_m, moved_m))
    wrong = rng.random(spec.points) < spec.outliers
    b[wrong] = rng.uniform(0, [639, 479], (int(wrong.sum()), 2))
    seen = moved_m[:, 2] > 0.1
    pairs = PointPairs(a[seen], b[seen], np.ones(int(seen.sum())))
    return TwoViews(pairs, camera, b_from_a, ~wrong[seen])


def _camera() -> CameraModel:
    return CameraModel.pinhole(Size(640, 480), 500, 500, 319.5, 239.5)


def _motion(spec: TwoViewSpec, rng: np.random.Generator) -> Pose:
    shift = rng.normal(0, 1, 3)
    shift *= spec.baseline * MEAN_DEPTH_M / np.linalg.norm(shift)
    return Pose.from_rotation_vector(rng.normal(0, spec.turn_rad, 3), shift)


def simulate_dense(spec: TwoViewSpec, seed: int, cell_px: int = 16) -> tuple[Matches, CameraModel, Pose]:
    """A warp as a network gives it: smooth depth, noise, and wrong pixels that are certain all the same.

    ``spec.points`` and ``is_plane`` count for nothing here.
    """
    rng, camera = np.random.default_rng(seed), _camera()
    width, height = camera.size
    b_from_a = _motion(spec, rng)
    coarse = rng.uniform(2, 6, (height // cell_px, width // cell_px)).astype(np.float32)
    depth_m = cv2.resize(coarse, camera.size, interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[:height, :width]
    rays = camera.unproject(np.column_stack([x.ravel(), y.ravel()]))
    warp = camera.project(b_from_a.apply(rays * np.ravel(depth_m)[:, None]))
    warp += rng.normal(0, spec.noise_px, warp.shape)
    wrong = rng.random(len(warp)) < spec.outliers
    warp[wrong] = rng.uniform(0, [width - 1, height - 1], (int(wrong.sum()), 2))
    certainty = np.full((height, width), 0.9, np.float32)
    return Matches(certainty, two_view_warp=warp.reshape(height, width, 2).astype(np.float32)), camera, b_from_a
