import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.calibration.rig import StereoCalibration

SIZE = (640, 480)
LENSES = {
    "plumb_bob": [-0.2, 0.05, 1e-3, -5e-4, 0.0],
    "rational_polynomial": [0.9, 0.2, 1e-3, -1e-3, 0.01, 1.2, 0.4, 0.03],
    "equidistant": [-0.02, 0.01, -5e-3, 1e-3],
}
small = st.floats(-0.05, 0.05)


def camera(model, focal_px, cx=318.0, cy=243.0):
    matrix = np.array([[focal_px, 0, cx], [0, focal_px * 1.01, cy], [0, 0, 1]])
    return CameraModel(SIZE, matrix, LENSES[model], model)


def calibration(model="plumb_bob", rotation=(0.01, -0.02, 0.015), translation_m=(-0.075, 0.001, -0.002)):
    pose = Pose.from_rotation_vector(rotation, translation_m)
    return StereoCalibration(camera(model, 505), camera(model, 498, 325, 236), pose)


@st.composite
def calibrations(draw):
    rotation = [draw(small) for _ in "xyz"]
    translation_m = [draw(st.floats(-0.5, -0.02)), draw(small) / 10, draw(small) / 10]
    return calibration(draw(st.sampled_from(list(LENSES))), rotation, translation_m)


points = st.lists(
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.3, 0.3), st.floats(1.5, 50)), min_size=1, max_size=6
).map(lambda rows: np.array([[x * z, y * z, z] for x, y, z in rows]))


def rectified_pixels(raw_pixels, raw_camera, rotation, rig):
    rays = raw_camera.unproject(raw_pixels) @ rotation.T
    return rig.focal_px * rays[:, :2] / rays[:, 2:] + [rig.cx, rig.cy]


@settings(deadline=None, max_examples=40)
@given(calibrations(), points)
def test_points_fall_on_equal_rows_with_the_disparity_of_their_depth(rig, in_left_m):
    rectification = Rectification.from_calibration(rig)
    ideal = rectification.rig
    left_px = rig.left.project(in_left_m)
    right_px = rig.right.project(rig.right_from_left.apply(in_left_m))
    left = rectified_pixels(left_px, rig.left, rectification.left_rotation, ideal)
    right = rectified_pixels(right_px, rig.right, rectification.right_rotation, ideal)
    depth_m = (in_left_m @ rectification.left_rotation.T)[:, 2]
    np.testing.assert_allclose(left[:, 1], right[:, 1], atol=1e-5)
    np.testing.assert_allclose(left[:, 0] - right[:, 0], ideal.focal_px * rig.baseline_m / depth_m, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(calibrations())
def test_rotations_are_rotations_and_small_for_a_nearly_straight_rig(rig):
    rectification = Rectification.from_calibration(rig)
    for rotation in (rectification.left_rotation, rectification.right_rotation):
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
    relative = rectification.right_rotation @ rig.right_from_left.rotation @ rectification.left_rotation.T
    np.testing.assert_allclose(relative, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("model", list(LENSES))
@pytest.mark.parametrize("size", [SIZE, (320, 240), (416, 224)])
def test_maps_send_each_rectified_pixel_to_the_raw_one_that_sees_the_same_ray(model, size):
    rig = calibration(model)
    rectification = Rectification.from_calibration(rig)
    focal_px = rectification.rig.focal_px
    xy = np.array([[0, 0], [17, 30], [size[0] // 2, size[1] // 2], [size[0] - 1, size[1] - 1]])
    at_full_size = (xy + 0.5) * np.array(SIZE) / size - 0.5
    rays = np.column_stack([(at_full_size - [rectification.rig.cx, rectification.rig.cy]) / focal_px, np.ones(4)])
    sides = (rig.left, rectification.left_rotation), (rig.right, rectification.right_rotation)
    for (map_x, map_y), (raw, rotation) in zip(rectification.maps(size), sides, strict=True):
        assert map_x.shape == map_y.shape == size[::-1]
        assert map_x.dtype == np.float32
        mapped = np.column_stack([map_x[xy[:, 1], xy[:, 0]], map_y[xy[:, 1], xy[:, 0]]])
        np.testing.assert_allclose(mapped, raw.project(rays @ rotation), atol=2e-3)


def test_maps_of_half_size_are_the_mean_of_those_at_full_size():
    rectification = Rectification.from_calibration(calibration())
    for full, half in zip(rectification.maps(SIZE), rectification.maps((320, 240)), strict=True):
        for one, other in zip(full, half, strict=True):
            mean = one.reshape(240, 2, 320, 2).mean(axis=(1, 3))
            np.testing.assert_allclose(other, mean, atol=0.01)


def test_geometry_agrees_with_opencv():
    rig = calibration()
    pose = rig.right_from_left
    left, right = rig.left, rig.right
    lenses = left.matrix, left.distortion, right.matrix, right.distortion
    answer = cv2.stereoRectify(*lenses, SIZE, pose.rotation, pose.translation_m.reshape(3, 1))
    ours = Rectification.from_calibration(rig)
    for rotation, theirs in ((ours.left_rotation, answer[0]), (ours.right_rotation, answer[1])):
        difference = Pose(rotation @ theirs.T, np.zeros(3)).rotation_vector
        assert np.abs(difference).max() < 1e-3
    assert -answer[3][0, 3] / answer[3][0, 0] == pytest.approx(ours.rig.baseline_m)


@pytest.mark.parametrize("model", list(LENSES))
def test_the_middle_of_the_view_stays_in_the_middle(model):
    rig = calibration(model)
    rectification = Rectification.from_calibration(rig)
    middle = np.array([[319.5, 239.5]])
    shown = [
        rectified_pixels(middle, raw, rotation, rectification.rig)[0]
        for raw, rotation in (
            (rig.left, rectification.left_rotation),
            (rig.right, rectification.right_rotation),
        )
    ]
    np.testing.assert_allclose(np.mean(shown, axis=0), middle[0], atol=1e-6)


def test_a_straight_rig_is_left_as_it_is():
    ideal = CameraModel.pinhole(SIZE, 500, 500, 319.5, 239.5)
    rig = StereoCalibration(ideal, ideal, Pose(np.eye(3), np.array([-0.1, 0, 0])))
    rectification = Rectification.from_calibration(rig)
    assert rectification.rig == RectifiedRig(SIZE, 500, 0.1, 319.5, 239.5)
    (map_x, map_y), _ = rectification.maps(SIZE)
    y, x = np.mgrid[:480, :640]
    np.testing.assert_allclose(map_x, x, atol=1e-3)
    np.testing.assert_allclose(map_y, y, atol=1e-3)


def test_pairs_that_come_rectified_need_no_maps():
    assert Rectification.identity(RectifiedRig(SIZE, None, None, 0, 0)).maps((320, 240)) is None


def test_scaling_an_ideal_rig_keeps_the_depth_of_scaled_disparities():
    rig = RectifiedRig(SIZE, 500.0, 0.1, 300.0, 250.0, 20.0)
    half = rig.scaled((320, 120))
    disparity_px = 30.0
    depth_m = rig.focal_px * rig.baseline_m / (disparity_px + rig.disparity_offset_px)
    assert half.focal_px * half.baseline_m / (disparity_px / 2 + half.disparity_offset_px) == pytest.approx(depth_m)
    assert (half.cx, half.cy) == (149.75, 62.125)


def test_a_rig_is_metric_only_with_focal_length_and_baseline():
    assert RectifiedRig(SIZE, 500, 0.1, 0, 0).is_metric
    assert not RectifiedRig(SIZE, None, 0.1, 0, 0).is_metric
    assert not RectifiedRig(SIZE, 500, None, 0, 0).is_metric
    assert RectifiedRig(SIZE, None, None, 0, 0).scaled((320, 240)).focal_px is None


@pytest.mark.parametrize("values", [(0, 0.1), (-5, 0.1), (500, 0), (np.nan, 0.1), (500, np.inf)])
def test_impossible_rigs_are_refused(values):
    with pytest.raises(CalibrationError, match="must be a positive number"):
        RectifiedRig(SIZE, *values, 0, 0)


def test_the_full_view_shows_every_raw_pixel_and_the_inside_view_no_border() -> None:
    calibration = virtual_rig((640, 400))
    width, height = calibration.left.size
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
    full = Rectification.from_calibration(calibration, "full")
    for right in (False, True):
        shown = full.points(corners, right=right)
        assert (shown >= -1).all()
        assert (shown <= np.array([width, height])).all()
    inside = Rectification.from_calibration(calibration, "inside").maps((320, 200))
    assert inside is not None
    for x, y in inside:
        assert min(x.min(), y.min()) >= -0.5
        assert x.max() <= width - 0.5
        assert y.max() <= height - 0.5


def test_points_go_where_the_maps_come_from() -> None:
    calibration = virtual_rig((640, 400), "fisheye")
    rectification = Rectification.from_calibration(calibration)
    maps = rectification.maps((640, 400))
    assert maps is not None
    for right, (x, y) in zip((False, True), maps, strict=True):
        raw = np.array([[x[150, 260], y[150, 260]], [x[220, 400], y[220, 400]]])
        np.testing.assert_allclose(rectification.points(raw, right=right), [[260, 150], [400, 220]], atol=1e-2)
