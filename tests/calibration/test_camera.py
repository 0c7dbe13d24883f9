import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.calibration.camera import COEFFICIENTS, CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError

SIZE = (1280, 800)
LENSES = {
    "plumb_bob": [[0, 0, 0, 0, 0], [-0.3, 0.1, 1e-3, -2e-3, -0.01], [0.1, -0.05, -1e-3, 1e-3, 0.01]],
    "rational_polynomial": [[0.9, 0.2, 1e-3, -1e-3, 0.01, 1.2, 0.4, 0.03]],
    "equidistant": [[0, 0, 0, 0], [-0.02, 0.01, -5e-3, 1e-3]],
}


@st.composite
def cameras(draw):
    model = draw(st.sampled_from(list(LENSES)))
    fx = draw(st.floats(600, 1500))
    fy = fx * draw(st.floats(0.98, 1.02))
    cx, cy = draw(st.floats(600, 680)), draw(st.floats(370, 430))
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return CameraModel(SIZE, matrix, draw(st.sampled_from(LENSES[model])), model)


pixels = st.lists(st.tuples(st.floats(0, 1279), st.floats(0, 799)), min_size=1, max_size=8).map(np.array)
rays = st.lists(st.tuples(st.floats(-0.7, 0.7), st.floats(-0.5, 0.5)), min_size=1, max_size=8).map(
    lambda xy: np.column_stack([np.array(xy), np.ones(len(xy))])
)
sizes = st.tuples(st.integers(64, 3000), st.integers(64, 3000))
quick = settings(deadline=None, max_examples=50)


@quick
@given(cameras(), pixels)
def test_pixels_survive_unprojecting_and_projecting(camera, xy):
    np.testing.assert_allclose(camera.project(camera.unproject(xy)), xy, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "lens", "focal_px"),
    [
        ("plumb_bob", [-0.372, 0.12, 1e-3, -1e-3, 0.011], 366),
        ("plumb_bob", [0.157, 0.077, 1e-3, -1e-3, -0.037], 396),
        ("plumb_bob", [-0.06, 0.167, 1e-3, -1e-3, 0.043], 547),
    ],
)
def test_corners_of_wide_images_survive_unprojecting(model, lens, focal_px):
    """OpenCV's own iteration ends over 100 px off in some of these, in which depends on its version."""
    corners = np.array([[0, 0], [1279, 0], [0, 799], [1279, 799], [640, 400]], float)
    camera = CameraModel(SIZE, np.array([[focal_px, 0, 640], [0, focal_px, 400], [0, 0, 1.0]]), lens, model)
    np.testing.assert_allclose(camera.project(camera.unproject(corners)), corners, atol=1e-6)


def test_pixels_that_no_ray_falls_on_are_no_error():
    """The lens folds over before the corner is reached."""
    camera = CameraModel(SIZE, np.array([[433, 0, 640], [0, 433, 400], [0, 0, 1.0]]), [-0.4, 0.1, 0, 0, -0.05])
    assert camera.unproject([[0.0, 0], [640, 400]]).shape == (2, 3)


@quick
@given(cameras(), rays, st.floats(0.1, 100))
def test_rays_survive_projecting_at_any_depth(camera, xyz, depth_m):
    np.testing.assert_allclose(camera.unproject(camera.project(xyz * depth_m)), xyz, atol=1e-8)


@quick
@given(cameras(), rays, sizes)
def test_a_scaled_camera_sees_the_same_at_the_scaled_pixel(camera, xyz, size):
    """OpenCV's resize puts pixel x at (x + 0.5) * s - 0.5, since centres are at integers."""
    scale = np.array(size) / np.array(SIZE)
    expected = (camera.project(xyz) + 0.5) * scale - 0.5
    np.testing.assert_allclose(camera.scaled(size).project(xyz), expected, atol=1e-6)
    assert camera.scaled(size).size == size


@quick
@given(cameras(), sizes)
def test_scaling_there_and_back_changes_nothing(camera, size):
    np.testing.assert_allclose(camera.scaled(size).scaled(SIZE).matrix, camera.matrix, rtol=1e-9, atol=1e-9)


def test_an_ideal_camera_projects_by_similar_triangles():
    camera = CameraModel.pinhole((100, 80), 50, 60, 49.5, 39.5)
    np.testing.assert_allclose(camera.project([[1, 2, 4]]), [[50 / 4 + 49.5, 60 * 2 / 4 + 39.5]])
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50, 60, 49.5, 39.5)


def test_a_fisheye_lens_maps_angles_to_radii():
    matrix = np.array([[100, 0, 0], [0, 100, 0], [0, 0, 1.0]])
    camera = CameraModel((10, 10), matrix, np.zeros(4), "equidistant")
    np.testing.assert_allclose(camera.project([[np.tan(1.0), 0, 1]]), [[100, 0]], atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shapes_do_not_depend_on_the_number_of_points(count):
    for model, coefficients in COEFFICIENTS.items():
        camera = CameraModel(SIZE, np.diag([700.0, 700, 1]), np.zeros(coefficients), model)
        assert camera.project(np.ones((count, 3))).shape == (count, 2)
        assert camera.unproject(np.ones((count, 2))).shape == (count, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "omnidir"}, "unknown distortion model 'omnidir'"),
        ({"size": (0, 4)}, "size 0x4"),
        ({"matrix": np.diag([np.nan, 1, 1])}, "not finite"),
        ({"distortion": np.full(5, np.inf)}, "not finite"),
        ({"matrix": np.diag([-1.0, 1, 1])}, "focal lengths"),
        ({"matrix": np.diag([1.0, 0, 1])}, "focal lengths"),
        ({"distortion": np.zeros(4)}, "takes 5 distortion coefficients, not 4"),
        ({"matrix": np.diag([500.0, 500, 2])}, "here the last is 0 0 2"),
        ({"matrix": [[500, 0, 0], [0, 500, 0], [320, 240, 1]]}, "is it transposed"),
        ({"matrix": [[500, 0, 320], [30, 500, 240], [0, 0, 1]]}, "30 stands below fx"),
        ({"matrix": [[500, 0.06, 320], [0, 500, 240], [0, 0, 1]]}, "skew of 0.06 px"),
    ],
)
def test_impossible_cameras_are_refused(changes, message):
    values = {"size": (4, 4), "matrix": np.eye(3), "distortion": np.zeros(5), "model": "plumb_bob"} | changes
    with pytest.raises(CalibrationError, match=message):
        CameraModel(**values)


def test_a_skew_of_rounding_is_none():
    camera = CameraModel((640, 480), [[500, 0.04, 320], [0, 500, 240], [0, 0, 1]], np.zeros(5))
    np.testing.assert_array_equal(camera.matrix, pinhole_matrix(500, 500, 320, 240))
