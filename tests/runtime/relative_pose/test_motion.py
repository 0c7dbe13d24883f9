from __future__ import annotations

import numpy as np
import pytest

from roma_device.app.simulation.two_views import TwoViewSpec, simulate_two_views
from roma_device.calibration.camera import CameraModel
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.motion import TwoViewMotion, tangents
from roma_device.runtime.relative_pose.rays import RayPairs
from roma_device.runtime.relative_pose.sampson import sampson_jacobian, sampson_px


def motion_of(seed: int) -> TwoViewMotion:
    pose = simulate_two_views(TwoViewSpec(points=8), seed).b_from_a
    return TwoViewMotion(pose.rotation, pose.translation_m / np.linalg.norm(pose.translation_m))


@pytest.mark.parametrize("size", [1e-9, 1e-3, 0.8])
def test_difference_undoes_moved(size: float) -> None:
    for seed in range(30):
        motion, step = motion_of(seed), np.random.default_rng(seed).uniform(-size, size, 5)
        assert np.allclose(motion.difference(motion.moved(step)), step, rtol=1e-6, atol=1e-12)


def test_tangents_are_at_right_angles() -> None:
    for direction in (*np.eye(3), *-np.eye(3), *(motion_of(seed).direction for seed in range(30))):
        frame = np.column_stack([direction, tangents(direction)])
        assert np.allclose(frame.T @ frame, np.eye(3), atol=1e-12)


def test_slopes_are_those_of_the_distance() -> None:
    """Against differences, for cameras with different focal lengths and distortion."""
    views = simulate_two_views(TwoViewSpec(outliers=0.2), 3)
    other = CameraModel(
        (640, 480), np.array([[700, 0, 300], [0, 690, 250], [0, 0, 1.0]]), np.array([-0.1, 0.02, 0, 0, 0])
    )
    rays = RayPairs.of(views.pairs, views.camera, other)
    motion = motion_of(3)
    _, slopes = sampson_jacobian(rays, motion)
    for number in range(5):
        step = np.zeros(5)
        step[number] = 1e-6
        ahead, behind = (sampson_px(rays, motion.moved(sign * step).essential) for sign in (1, -1))
        assert np.allclose((ahead - behind) / 2e-6, slopes[number], atol=1e-4 * np.abs(slopes[number]).max())


@pytest.mark.parametrize(("focal_a", "focal_b"), [(500, 500), (300, 900)])
def test_distance_has_the_deviation_of_the_noise(focal_a: float, focal_b: float) -> None:
    """Whatever the focal lengths: the noise is the same in pixels of both images."""
    rng = np.random.default_rng(0)
    views = simulate_two_views(TwoViewSpec(points=20_000, outliers=0, noise_px=0, baseline=0.3), 1)
    a, b = (CameraModel.pinhole((640, 480), focal, focal, 319.5, 239.5) for focal in (focal_a, focal_b))
    rays_a, rays_b = views.camera.unproject(views.pairs.a), views.camera.unproject(views.pairs.b)
    noisy = (camera.project(rays) + rng.normal(0, 0.5, (len(rays), 2)) for camera, rays in ((a, rays_a), (b, rays_b)))
    rays = RayPairs.of(PointPairs(*noisy, np.ones(len(rays_a))), a, b)
    shift = views.b_from_a.translation_m / np.linalg.norm(views.b_from_a.translation_m)
    distance = sampson_px(rays, TwoViewMotion(views.b_from_a.rotation, shift).essential)
    assert distance.std() == pytest.approx(0.5, rel=0.03)
