"""Odometry on the simulated rig: how near it stays to the truth, and what it says when it cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.trajectories.error import absolute_error, path_length_m
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.grey import grey
from roma_device.runtime.odometry.stereo_odometry import PATIENCE, StereoOdometry
from roma_device.runtime.pose_estimate import PoseEstimate, body_pose, optical_pose

SIZE, FRAMES = "480x320", 26


@dataclass(frozen=True)
class Walk:
    """Rectified pairs of a simulated rig and where they were taken."""

    rig: RectifiedRig
    pairs: list[tuple[Any, Any]]
    times_ns: list[int]
    truth: list[Pose]  # first left from left, rectified


def rendered(spec: str) -> Walk:
    camera = open_camera(f"simulated:{spec}")
    rectification = Rectification.from_calibration(camera.calibration)
    maps = rectification.maps(rectification.rig.size)
    rectified = Pose(rectification.left_rotation.T, np.zeros(3))
    pairs, times_ns, truth = [], [], []
    for frame in camera.frames():
        images = (frame.left.image, frame.right.image)
        pairs.append(tuple(cv2.remap(grey(i), *m, cv2.INTER_LINEAR) for i, m in zip(images, maps, strict=True)))
        times_ns.append(frame.timestamp_ns)
        truth.append(frame.truth.world_from_left @ rectified)
    return Walk(rectification.rig, pairs, times_ns, [truth[0].inverse() @ pose for pose in truth])


@pytest.fixture(scope="module")
def walk() -> Walk:
    return rendered(f"boxes?size={SIZE}&fps=8&frames={FRAMES}&seed=4")


def followed(walk: Walk, pairs: list[tuple[Any, Any]] | None = None) -> list[PoseEstimate]:
    odometry = StereoOdometry(walk.rig)
    shown = pairs or walk.pairs
    return [odometry.process(*pair, time_ns) for pair, time_ns in zip(shown, walk.times_ns, strict=True)]


def error_m(walk: Walk, estimates: list[PoseEstimate], index: int) -> float:
    pose = estimates[index].odom_from_camera
    assert pose is not None
    return float(np.linalg.norm(optical_pose(pose).translation_m - walk.truth[index].translation_m))


def with_object(pair: tuple[Any, Any], left_px: int, disparity_px: int = 40) -> tuple[Any, Any]:
    """A textured board that covers half of the view, before everything else."""
    left, right = pair[0].copy(), pair[1].copy()
    height, width = left.shape
    texture = cv2.resize(
        np.random.default_rng(3).integers(0, 255, (40, 30), dtype=np.uint8),
        (width // 2, height),
        interpolation=cv2.INTER_CUBIC,
    )
    for image, start in ((left, left_px), (right, left_px - disparity_px)):
        first, last = max(start, 0), min(start + width // 2, width)
        if first < last:
            image[:, first:last] = texture[:, first - start : last - start]
    return left, right


def dark(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return tuple(rng.integers(0, 4, image.shape, dtype=np.uint8) for image in pair)


def test_the_error_is_below_one_percent_of_the_path(walk: Walk) -> None:
    estimates = followed(walk)
    assert {estimate.state for estimate in estimates} == {"ok"}
    found_m = np.array([optical_pose(estimate.odom_from_camera).translation_m for estimate in estimates])
    true_m = np.array([pose.translation_m for pose in walk.truth])
    assert absolute_error(found_m, true_m, Pose.identity()).rmse_m < 0.01 * path_length_m(true_m)


def test_the_frame_is_that_of_a_body(walk: Walk) -> None:
    """x forward, y left, z up (REP 103), where the camera's own axes are x right, y down, z forward."""
    last = followed(walk)[-1].odom_from_camera
    right_m, down_m, forward_m = walk.truth[-1].translation_m
    assert last.translation_m == pytest.approx([forward_m, -right_m, -down_m], abs=0.01)


def test_the_same_frames_give_the_same_poses(walk: Walk) -> None:
    runs = [followed(Walk(walk.rig, walk.pairs[:6], walk.times_ns[:6], walk.truth)) for _ in range(2)]
    for one, other in zip(*runs, strict=True):
        assert one.odom_from_camera.matrix.tobytes() == other.odom_from_camera.matrix.tobytes()
        assert one.covariance.tobytes() == other.covariance.tobytes()


def test_a_covered_camera_is_lost_and_found_again(walk: Walk) -> None:
    covered = range(6, 10)
    estimates = followed(walk, [dark(pair) if i in covered else pair for i, pair in enumerate(walk.pairs)])
    assert all(estimates[i].state == "lost" and estimates[i].odom_from_camera is None for i in covered)
    assert all(estimates[i].reasons for i in covered)
    assert estimates[-1].state == "ok" and estimates[-1].segment == 1
    assert error_m(walk, estimates, FRAMES - 1) < 0.02


def test_after_a_cut_a_new_segment_begins_where_the_last_one_ended(walk: Walk) -> None:
    other = rendered(f"room?size={SIZE}&fps=8&frames={PATIENCE + 4}")
    cut = 5
    estimates = followed(
        Walk(walk.rig, [*walk.pairs[:cut], *other.pairs], walk.times_ns[: cut + PATIENCE + 4], walk.truth)
    )
    assert [each.state for each in estimates[cut : cut + PATIENCE - 1]] == ["lost"] * (PATIENCE - 1)
    first = estimates[cut + PATIENCE - 1]
    assert first.state == "degraded" and first.segment == 2 and "a new segment begins" in first.reasons
    assert np.allclose(first.odom_from_camera.matrix, estimates[cut - 1].odom_from_camera.matrix)
    assert estimates[-1].state == "ok" and estimates[-1].segment == 2


def test_something_that_fills_half_of_the_view_does_not_carry_the_rig_away(walk: Walk) -> None:
    shown = range(8, 16)
    pairs = [with_object(pair, -120 + 15 * (i - 8)) if i in shown else pair for i, pair in enumerate(walk.pairs)]
    estimates = followed(walk, pairs)
    assert any(estimates[i].state != "ok" for i in shown)
    for index, estimate in enumerate(estimates):
        if estimate.odom_from_camera is not None:
            assert error_m(walk, estimates, index) < 0.03
    assert estimates[-1].state == "ok"


def test_a_frame_that_is_not_later_is_refused(walk: Walk) -> None:
    odometry = StereoOdometry(walk.rig)
    odometry.process(*walk.pairs[0], 1000)
    again = odometry.process(*walk.pairs[1], 1000)
    assert again.state == "lost" and "time" in again.reasons[0]
    assert odometry.process(*walk.pairs[1], 10**9 // 8).state == "ok"


def test_nothing_to_see_is_no_pose(walk: Walk) -> None:
    flat = np.full((320, 480), 90, np.uint8)
    estimate = StereoOdometry(walk.rig).process(flat, flat, 0)
    assert estimate.state == "lost" and estimate.odom_from_camera is None and "0 points" in estimate.reasons[0]


def test_depth_may_come_from_a_dense_disparity(walk: Walk) -> None:
    """Here the true one, as the best that a network could give."""
    camera = open_camera(f"simulated:boxes?size={SIZE}&fps=8&frames=3&seed=4")
    odometry = StereoOdometry(walk.rig)
    for frame, pair in zip(camera.frames(), walk.pairs, strict=False):
        dense_px = walk.rig.focal_px * walk.rig.baseline_m / frame.truth.depth_m
        estimate = odometry.process(*pair, frame.timestamp_ns, dense_px.astype(np.float32))
    assert estimate.state == "ok" and error_m(walk, [estimate], 0) >= 0
    assert np.linalg.norm(optical_pose(estimate.odom_from_camera).translation_m - walk.truth[2].translation_m) < 0.005


def test_what_it_cannot_work_with_is_said() -> None:
    with pytest.raises(ValueError, match="focal length and baseline"):
        StereoOdometry(RectifiedRig((64, 48), None, None, 31.5, 23.5))


def normalized_squares(scene: Walk) -> list[float]:
    """Squared errors over their covariance, of the motion within each second pair of frames from a fresh start."""
    squares = []
    for first in range(0, len(scene.pairs) - 1, 2):
        odometry = StereoOdometry(scene.rig)
        for index in (first, first + 1):
            estimate = odometry.process(*scene.pairs[index], scene.times_ns[index])
        truth = body_pose(scene.truth[first].inverse() @ scene.truth[first + 1])
        found = estimate.odom_from_camera
        turn = Pose(found.rotation @ truth.rotation.T, np.zeros(3)).rotation_vector
        error = np.concatenate([found.translation_m - truth.translation_m, turn])
        squares.append(float(error @ np.linalg.solve(estimate.covariance, error)))
    return squares


UNSEEN = [
    f"{scene}?fps={fps}&frames=30&seed={seed}"
    for scene in ("room", "boxes", "street")
    for fps, seed in ((6, 71), (6, 72), (15, 73), (3, 74))
]
"""Rendered when all of the covariance was chosen, on seeds below 70."""


@pytest.mark.thorough
def test_the_covariance_holds_on_rendered_images() -> None:
    """Over twelve clips at three speeds the mean lies in its 95 % chi-square band."""
    clips = {spec: normalized_squares(rendered(spec)) for spec in UNSEEN}
    for spec, each in clips.items():
        print(f"{spec}: mean normalized squared error {np.mean(each):.2f} of 6 numbers, {len(each)} motions")
    for scene in ("room", "boxes", "street"):
        squares = np.concatenate([each for spec, each in clips.items() if spec.startswith(scene)])
        print(f"{scene}: {np.mean(squares):.2f} over {len(squares)} motions")
        assert 6 / 1.25**2 < np.mean(squares) < 6 * 1.25**2, "standard deviations are off by more than a quarter"
    every = np.concatenate(list(clips.values()))
    half_width = 1.96 * np.sqrt(2 * 6 / len(every))
    print(f"all: {np.mean(every):.2f} over {len(every)} motions, chi-square band of a mean 6 +- {half_width:.2f}")
    assert 6 - half_width < np.mean(every) < 6 + half_width
