import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.calibration.pose import Pose

quick = settings(deadline=None, max_examples=60)
coordinate = st.floats(-10, 10)
points = st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=5).map(np.array)


@st.composite
def axes(draw):
    vector = np.array([draw(st.floats(-1, 1)) for _ in "xyz"])
    length = np.linalg.norm(vector)
    return vector / length if length > 0.1 else np.array([0.0, 0.6, 0.8])


angles = st.floats(0, math.pi) | st.sampled_from([0.0, 1e-9, 1e-6, 9e-6, 1.1e-5, 1e-3, math.pi - 1e-6, math.pi])


@st.composite
def poses(draw):
    translation_m = [draw(coordinate) for _ in "xyz"]
    return Pose.from_rotation_vector(draw(axes()) * draw(angles), translation_m)


def assert_same(one, other):
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-9)


def rotation_from_quaternion(quaternion):
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@quick
@given(poses())
def test_a_pose_and_its_inverse_cancel(pose):
    assert_same(pose @ pose.inverse(), Pose.identity())
    assert_same(pose.inverse() @ pose, Pose.identity())
    assert_same(pose.inverse().inverse(), pose)


@quick
@given(poses(), poses(), points)
def test_composing_is_applying_one_after_the_other(a_from_b, b_from_c, x):
    np.testing.assert_allclose((a_from_b @ b_from_c).apply(x), a_from_b.apply(b_from_c.apply(x)), atol=1e-9)


@quick
@given(poses(), poses())
def test_matrix_is_the_homogeneous_form(one, other):
    np.testing.assert_allclose((one @ other).matrix, one.matrix @ other.matrix, atol=1e-9)


@quick
@given(poses())
def test_rotation_vector_leads_back_to_the_rotation(pose):
    assert np.linalg.norm(pose.rotation_vector) <= math.pi + 1e-9
    assert_same(Pose.from_rotation_vector(pose.rotation_vector, pose.translation_m), pose)


@quick
@given(axes(), angles.filter(lambda angle: angle < math.pi - 1e-3))
def test_rotation_vector_keeps_even_the_smallest_angles(axis, angle):
    vector = axis * angle
    returned = Pose.from_rotation_vector(vector, np.zeros(3)).rotation_vector
    np.testing.assert_allclose(returned, vector, rtol=1e-9, atol=1e-14)


@quick
@given(poses())
def test_quaternion_is_of_unit_length_and_leads_back_to_the_rotation(pose):
    quaternion = pose.quaternion
    assert np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-12)
    assert quaternion[3] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(quaternion), pose.rotation, atol=1e-8)


def test_signs_and_order_are_those_of_the_conventions():
    quarter_about_z = Pose.from_rotation_vector([0, 0, math.pi / 2], [1, 2, 3])
    np.testing.assert_allclose(quarter_about_z.apply([1, 0, 0]), [1, 3, 3], atol=1e-12)
    np.testing.assert_allclose(quarter_about_z.quaternion, [0, 0, math.sqrt(0.5), math.sqrt(0.5)], atol=1e-12)


def test_apply_takes_points_of_any_leading_shape():
    pose = Pose.from_rotation_vector([0.1, 0.2, 0.3], [1, 2, 3])
    cloud = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_allclose(pose.apply(cloud)[1, 2], pose.apply(cloud[1, 2]))
