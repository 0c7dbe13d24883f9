"""The simulated pictures, depth and poses agree with each other and with geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.app.simulation.camera_space import SceneGeometry
from roma_device.app.simulation.paint.printed_textures import CHESSBOARD
from roma_device.app.simulation.renderer import camera_rays, depth_along
from roma_device.app.simulation.scene import Light, Scene, Sphere, Surface, SwayingPath, quad, turned
from roma_device.app.simulation.textures import plaster
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.types import StereoFrame

Array = npt.NDArray[np.float64]

PAINT = plaster((128, 128, 128))


@dataclass(frozen=True)
class Rectified:
    """One frame after rectification, as floats."""

    left: Array  # (H, W) grey
    right: Array
    depth_m: Array
    disparity_px: Array
    world_from_rectified: Pose
    rays: Array  # (H, W, 3) with z = 1


@cache
def rectified(scene: str, size: str, numbers: tuple[int, ...]) -> list[Rectified]:
    """Some frames of a scene."""
    with SimulatedCamera.from_spec(f"{scene}?size={size}") as camera:
        frames = list(islice(camera.frames(), max(numbers) + 1))
        rectification = Rectification.from_calibration(camera.calibration)
    return [rectify(frames[number], rectification) for number in numbers]


def rectify(frame: StereoFrame, rectification: Rectification) -> Rectified:
    maps, rig = rectification.maps(frame.size), rectification.rig
    assert maps is not None
    assert frame.truth is not None
    assert rig.focal_px is not None
    assert rig.baseline_m is not None
    assert rectification.left_rotation is not None
    left, right = (
        cv2.remap(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), *pair, cv2.INTER_LINEAR).astype(float)
        for image, pair in zip((frame.left.image, frame.right.image), maps, strict=True)
    )
    depth_m = np.asarray(frame.truth.depth_m, float)
    y, x = np.mgrid[: rig.size[1], : rig.size[0]]
    rays = np.dstack([(x - rig.cx) / rig.focal_px, (y - rig.cy) / rig.focal_px, np.ones_like(x)])
    world_from_rectified = frame.truth.world_from_left @ Pose(rectification.left_rotation.T, np.zeros(3))
    disparity_px = rig.focal_px * rig.baseline_m / depth_m
    return Rectified(left, right, depth_m, np.nan_to_num(disparity_px), world_from_rectified, rays)


def visible_twice(view: Rectified) -> npt.NDArray[np.bool_]:
    """Left pixels (H, W) whose surface the right camera sees too, away from outlines and image borders."""
    height, width = view.left.shape
    steps = cv2.dilate(view.disparity_px, np.ones((5, 5))) - cv2.erode(view.disparity_px, np.ones((5, 5)))
    target = np.arange(width) - view.disparity_px
    nearest = np.zeros((height, width + 2))
    columns = np.clip(np.round(target).astype(int), -1, width) + 1
    np.maximum.at(nearest, (np.arange(height)[:, None], columns), view.disparity_px)
    nearest = cv2.dilate(nearest, np.ones((1, 5)))
    hidden = view.disparity_px < nearest[np.arange(height)[:, None], columns] - 1
    border = np.zeros((height, width), bool)
    border[12:-12, 12:-12] = True
    return border & ~hidden & (steps < 1.5) & (target > 12) & (target < width - 12)


def warped_right(view: Rectified, factor: float = 1.0) -> Array:
    """The right image (H, W) as the left camera would see it, by disparities times a factor."""
    height, width = view.left.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    columns = (x - factor * view.disparity_px).astype(np.float32)
    return np.asarray(cv2.remap(view.right, columns, y, cv2.INTER_CUBIC), float)


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_the_right_image_moved_by_the_true_depth_is_the_left_one(scene: str) -> None:
    (view,) = rectified(scene, "320x200", (1,))
    seen = visible_twice(view)
    assert seen.mean() > 0.3
    true_error = np.abs(warped_right(view) - view.left)[seen].mean()
    wrong_error = np.abs(warped_right(view, 1.3) - view.left)[seen].mean()
    assert true_error < 5
    assert wrong_error > 1.6 * true_error


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_nothing_is_left_to_align_in_x_or_y(scene: str) -> None:
    """The shift that explains the remaining difference best (Lucas and Kanade) is far below a pixel."""
    (view,) = rectified(scene, "320x200", (1,))
    moved = warped_right(view)
    seen = visible_twice(view) & (np.abs(moved - view.left) < 15)
    slopes = np.stack([cv2.Sobel(moved, cv2.CV_64F, *axis, ksize=3)[seen] / 8 for axis in ((1, 0), (0, 1))], axis=1)
    difference = (view.left - moved)[seen]
    shift_px = np.linalg.lstsq(slopes, difference, rcond=None)[0]
    assert np.abs(shift_px).max() < 0.04


@pytest.mark.parametrize("scene", ["room", "boxes"])
def test_depth_and_pose_of_two_frames_describe_one_world(scene: str) -> None:
    first, second = rectified(scene, "160x100", (0, 6))
    second_from_first = second.world_from_rectified.inverse() @ first.world_from_rectified
    points = second_from_first.apply(first.rays * first.depth_m[..., None])
    focal_px = 1 / (first.rays[0, 1, 0] - first.rays[0, 0, 0])
    pixels = (points[..., :2] / points[..., 2:] - second.rays[0, 0, :2]) * focal_px
    found = cv2.remap(second.depth_m, *(pixels[..., axis].astype(np.float32) for axis in (0, 1)), cv2.INTER_NEAREST)
    difference = np.abs(found - points[..., 2])[found > 0]
    assert np.median(difference) < 0.01
    assert np.linalg.norm(second_from_first.translation_m) > 0.01


def test_the_chessboard_is_found_level_and_of_its_true_size() -> None:
    (view,) = rectified("board", "640x400", (0,))
    shape = CHESSBOARD.columns, CHESSBOARD.rows
    corners = []
    for image in (view.left, view.right):
        found, points = cv2.findChessboardCornersSB(image.astype(np.uint8), shape)
        assert found
        points = np.asarray(points, np.float32).reshape(-1, 1, 2)
        until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-3)
        points = cv2.cornerSubPix(image.astype(np.uint8), points, (5, 5), (-1, -1), until)
        corners.append(np.asarray(points, float).reshape(shape[1], shape[0], 2))
    disparity_px, tilt_px = (corners[0] - corners[1]).transpose(2, 0, 1)
    assert np.abs(tilt_px).max() < 0.2
    column, row = corners[0].round().astype(int).transpose(2, 0, 1)
    np.testing.assert_allclose(disparity_px, view.disparity_px[row, column], atol=0.4)
    points_m = view.rays[row, column] * view.depth_m[row, column][..., None]
    sides_m = np.linalg.norm(np.diff(points_m[:, [0, -1]], axis=1), axis=2).ravel()
    np.testing.assert_allclose(sides_m, (shape[0] - 1) * CHESSBOARD.square_m, rtol=0.01)


def depth_of(surface: Surface, world_from_camera: Pose) -> tuple[Array, Array]:
    """Depth (H, W) of a lonely surface in a small ideal camera, and its rays (H, W, 3)."""
    still = SwayingPath(np.zeros(3), np.zeros(3), np.array([0, 0, 1.0]), np.zeros(3), 0, 1, np.zeros(3))
    scene = Scene((surface,), Light(np.zeros(3), 1, (1, 1, 1), (1, 1, 1)), still)
    rays = camera_rays(CameraModel.pinhole((40, 30), 30, 30, 19.5, 14.5))
    depth_m = depth_along(SceneGeometry(scene), world_from_camera, rays, 100.0)
    return depth_m.astype(float), np.dstack([rays.x, rays.y, np.ones_like(rays.x)])


def test_a_wall_that_faces_the_camera_is_equally_deep_everywhere() -> None:
    depth_m, _ = depth_of(quad(turned(0, 0, 2.5), (9, 9), PAINT), Pose.identity())
    np.testing.assert_allclose(depth_m, 2.5, rtol=1e-6)


def test_a_wall_ends_at_its_edges_and_is_not_seen_from_behind() -> None:
    depth_m, rays = depth_of(quad(turned(0, 0, 2.0), (1.0, 0.5), PAINT), Pose.identity())
    expected = (np.abs(rays[..., 0]) <= 0.25) & (np.abs(rays[..., 1]) <= 0.125)
    np.testing.assert_array_equal(np.isfinite(depth_m), expected)
    behind, _ = depth_of(quad(turned(0, 0, 2.0, yaw_deg=180), (9, 9), PAINT), Pose.identity())
    assert np.isnan(behind).all()


angles = st.floats(-0.6, 0.6)
shifts = st.floats(-0.5, 0.5)


@settings(deadline=None, max_examples=50)
@given(st.tuples(angles, angles, angles), st.tuples(shifts, shifts, shifts), st.floats(-50, 50), st.floats(-50, 50))
def test_points_on_a_tilted_wall_lie_in_its_plane(
    turn: tuple[float, float, float], place: tuple[float, float, float], yaw_deg: float, pitch_deg: float
) -> None:
    camera, wall = Pose.from_rotation_vector(turn, place), turned(0.1, -0.2, 3.0, yaw_deg, pitch_deg)
    depth_m, rays = depth_of(quad(wall, (4, 3), PAINT), camera)
    local = wall.inverse().apply(camera.apply(rays * depth_m[..., None]))[np.isfinite(depth_m)]
    assert np.abs(local[:, 2]).max(initial=0) < 1e-4
    assert np.abs(local[:, 0]).max(initial=0) < 2.001
    assert np.abs(local[:, 1]).max(initial=0) < 1.501


@settings(deadline=None, max_examples=50)
@given(st.tuples(angles, angles, angles), st.tuples(shifts, shifts, shifts), st.floats(0.2, 1.2))
def test_points_on_a_ball_are_its_radius_away_on_the_near_side(
    turn: tuple[float, float, float], place: tuple[float, float, float], radius_m: float
) -> None:
    camera, centre = Pose.from_rotation_vector(turn, place), np.array([0.2, -0.1, 2.5])
    depth_m, rays = depth_of(Sphere(centre, radius_m, PAINT, np.eye(3)), camera)
    to_centre = centre - place
    length = np.linalg.norm(rays, axis=2)
    cosine = (rays @ (camera.rotation.T @ to_centre)) / length / np.linalg.norm(to_centre)
    inside = cosine > np.sqrt(1 - (radius_m / np.linalg.norm(to_centre)) ** 2)
    near_edge = np.abs(cosine - np.sqrt(1 - (radius_m / np.linalg.norm(to_centre)) ** 2)) < 1e-4
    assert (np.isfinite(depth_m) == inside)[~near_edge].all()
    points = camera.apply(rays * depth_m[..., None])[np.isfinite(depth_m)]
    np.testing.assert_allclose(np.linalg.norm(points - centre, axis=1), radius_m, atol=2e-3)
    assert (np.linalg.norm(points - place, axis=1) < np.linalg.norm(to_centre)).all()
