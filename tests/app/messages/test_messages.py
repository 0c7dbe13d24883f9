"""Messages of results: geometry, frames and stamps; their bytes, decoded by rosbags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.app.messages.clock import JUMP_NS, WallClock
from roma_device.app.messages.topics import TOPICS, Maker, messages
from roma_device.calibration.pose import Pose
from roma_device.runtime.obstacles.obstacle_map import GroundPlane
from roma_device.runtime.pose_estimate import PoseEstimate
from tests.app.sinks.conftest import OBSTACLES

SECOND_NS = 1_000_000_000


@pytest.fixture
def made(make_result: Any) -> dict[str, Any]:
    """Topic -> message of a result with everything in it."""
    turn = Pose.from_rotation_vector([0, 0, 0.5], [1.0, 2.0, 3.0])
    pose = PoseEstimate(1_000_000, "ok", (), 1, turn, np.diag([1.0, 2, 3, 4, 5, 6]))
    return {topic.name: message for topic, message in messages(Maker(stride=2), make_result(pose=pose), lambda _: True)}


def test_every_topic_has_its_message(made: dict[str, Any]) -> None:
    assert {topic.name: topic.type for topic in TOPICS} == {name: type(message) for name, message in made.items()}


def test_depth_is_in_metres_with_nan_where_unknown(made: dict[str, Any], make_result: Any) -> None:
    message, result = made["depth/image_rect"], make_result()
    assert (message.encoding, message.step, message.is_bigendian) == ("32FC1", 4 * 48, 0)
    depth_m = message.data.view(np.float32).reshape(32, 48)
    assert np.array_equal(depth_m, result.depth.depth_m, equal_nan=True) and np.isnan(depth_m).any()


def test_the_right_projection_holds_the_baseline(made: dict[str, Any]) -> None:
    left, right = made["left/camera_info"], made["right/camera_info"]
    assert left.p[3] == 0 and right.p[3] == -40.0 * 0.1
    assert left.k.tolist() == [40, 0, 23, 0, 40, 15.5, 0, 0, 1]
    assert (left.header.frame_id, right.header.frame_id) == ("left_optical_frame", "right_optical_frame")
    assert made["left/image_rect"].header == left.header and made["right/image_rect"].header == right.header


def test_a_point_projects_to_its_disparity(made: dict[str, Any]) -> None:
    """By P of both cameras, as a consumer of the messages would do it."""
    points = made["points"].data.view(np.float32).reshape(-1, 4)[:, :3]
    homogeneous = np.column_stack([points, np.ones(len(points))])
    left, right = (homogeneous @ made[f"{side}/camera_info"].p.reshape(3, 4).T for side in ("left", "right"))
    shift = left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2]
    assert np.allclose(shift, 40.0 * 0.1 / points[:, 2], rtol=1e-5)


def test_colours_are_packed_as_pcl_does(made: dict[str, Any], make_result: Any) -> None:
    cloud = made["points"]
    packed = cloud.data.view(np.uint32).reshape(-1, 4)[0, 3]
    blue, green, red = make_result().images.left[0, 0].tolist()
    assert packed == red << 16 | green << 8 | blue
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"] and cloud.row_step == cloud.data.size


def test_frames_are_a_tree_by_rep_105(made: dict[str, Any]) -> None:
    edges = [
        (each.header.frame_id, each.child_frame_id) for name in ("/tf", "/tf_static") for each in made[name].transforms
    ]
    assert edges == [
        ("odom", "camera_link"),
        ("camera_link", "camera_footprint"),
        ("camera_link", "left_optical_frame"),
        ("left_optical_frame", "right_optical_frame"),
    ]
    optical = made["/tf_static"].transforms[0].transform.rotation
    rotation = Pose.from_quaternion(np.array([optical.x, optical.y, optical.z, optical.w]), np.zeros(3)).rotation
    assert np.allclose(rotation @ [0, 0, 1], [1, 0, 0]) and np.allclose(rotation @ [1, 0, 0], [0, -1, 0])


def test_odometry_carries_the_covariance(made: dict[str, Any]) -> None:
    message = made["odom"]
    assert np.diag(message.pose.covariance.reshape(6, 6)).tolist() == [1, 2, 3, 4, 5, 6]
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "camera_link")
    assert message.pose.pose.position.z == 3.0


def test_a_scan_sees_the_nearest_and_unknown_is_not_free(make_result: Any) -> None:
    result = make_result(obstacles=None)
    depth_m, valid = result.depth.depth_m, result.valid
    depth_m[:], valid[:] = 2.0, True
    depth_m[:, :10], valid[:, :10] = np.nan, False
    maker = Maker()
    scan = next(message for topic, message in messages(maker, result, lambda topic: topic.name == "scan"))
    ranges, angles = scan.ranges, scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    assert scan.angle_max == pytest.approx(angles[-1]) and scan.header.frame_id == "camera_link"
    seen = np.isfinite(ranges)
    assert np.allclose(ranges[seen] * np.cos(angles[seen]), 2.0, rtol=0.02)
    to_the_left = angles > np.arctan((23 - 9) / 40)
    assert to_the_left.any() and np.isnan(ranges[to_the_left]).all()


def test_a_scan_of_obstacles_lies_on_the_ground(make_result: Any) -> None:
    """Beams keep the nearest; ground alone is inf, unknown is NaN; the frame lies below the camera."""
    rad = np.arctan(np.linspace(1, -1, 161)).astype(np.float32)
    scan_m = np.full(161, np.nan, np.float32)
    scan_m[:60], scan_m[100] = np.inf, 1.5
    up = np.array([0.0, -np.cos(0.2), -np.sin(0.2)])  # looks down by 0.2 rad
    ground = GroundPlane(up, 1.2, 0.5)
    result = make_result(obstacles=replace(OBSTACLES, ground=ground, scan_m=scan_m, scan_rad=rad))
    found = {topic.name: message for topic, message in messages(Maker(), result, lambda _: True)}
    scan = found["scan"]
    angles = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    assert scan.header.frame_id == "camera_footprint" and scan.angle_max == pytest.approx(angles[-1])
    (at,) = np.flatnonzero(np.isfinite(scan.ranges))
    assert scan.ranges[at] == 1.5 and angles[at] == pytest.approx(rad[100], abs=scan.angle_increment / 2 + 1e-6)
    assert np.isinf(scan.ranges[angles > rad[58]]).all() and np.isnan(scan.ranges[angles < rad[102]]).all()
    (step,) = [each for each in found["/tf"].transforms if each.child_frame_id == "camera_footprint"]
    place, turn = step.transform.translation, step.transform.rotation
    assert (place.x, place.y, place.z) == pytest.approx((1.2 * np.sin(0.2), 0, -1.2 * np.cos(0.2)))
    assert (turn.x, turn.y, turn.z, turn.w) == pytest.approx((0, np.sin(-0.1), 0, np.cos(0.1)))


def test_what_a_result_has_not_is_not_sent(make_result: Any) -> None:
    names = {topic.name for topic, _ in messages(Maker(), make_result(metric=False), lambda _: True)}
    assert names == {"left/image_rect", "right/image_rect", "/tf_static", "/diagnostics"}


@pytest.mark.parametrize("distro", ["humble", "jazzy", "kilted"])
def test_the_bytes_are_read_by_rosbags_for_every_distribution(made: dict[str, Any], distro: str) -> None:
    pytest.importorskip("rosbags")
    from roma_device.app.messages.cdr import Encoder

    encoder = Encoder(distro)
    for message in made.values():
        read = encoder.typestore.deserialize_cdr(encoder.encode(message), message.TYPE)
        if hasattr(message, "data"):
            assert np.array_equal(read.data, message.data)
        if hasattr(message, "header"):
            assert read.header.stamp.nanosec == message.header.stamp.nanosec


class Clocks:
    def __init__(self) -> None:
        self.wall_ns, self.monotonic_ns = 1_700_000_000 * SECOND_NS, 5_000 * SECOND_NS

    def pass_ns(self, passed_ns: int, jump_ns: int = 0) -> None:
        self.monotonic_ns += passed_ns
        self.wall_ns += passed_ns + jump_ns


def test_a_wall_clock_that_is_corrected_is_followed_slowly() -> None:
    clocks = Clocks()
    clock = WallClock(lambda: clocks.wall_ns, lambda: clocks.monotonic_ns)
    first = clock.stamp_ns(clocks.monotonic_ns)
    assert first == clocks.wall_ns
    clocks.pass_ns(SECOND_NS, -200_000_000)
    second = clock.stamp_ns(clocks.monotonic_ns)
    assert second - first == SECOND_NS - 500_000
    for _ in range(500):
        clocks.pass_ns(SECOND_NS)
        clock.stamp_ns(clocks.monotonic_ns)
    assert clock.stamp_ns(clocks.monotonic_ns) == clocks.wall_ns


def test_a_clock_that_is_set_for_the_first_time_is_followed_at_once() -> None:
    clocks = Clocks()
    clock = WallClock(lambda: clocks.wall_ns, lambda: clocks.monotonic_ns)
    clock.stamp_ns(clocks.monotonic_ns)
    clocks.pass_ns(SECOND_NS, 10 * 365 * 86400 * SECOND_NS)
    assert clock.stamp_ns(clocks.monotonic_ns) == clocks.wall_ns


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.integers(1_000_000, SECOND_NS), st.integers(-(10**12), 10**12)), max_size=30))
def test_stamps_rise_whatever_the_wall_clock_does(steps: list[tuple[int, int]]) -> None:
    clocks = Clocks()
    clock = WallClock(lambda: clocks.wall_ns, lambda: clocks.monotonic_ns)
    last = clock.stamp_ns(clocks.monotonic_ns)
    for passed_ns, jump_ns in steps:
        clocks.pass_ns(passed_ns, jump_ns)
        stamp = clock.stamp_ns(clocks.monotonic_ns)
        assert stamp > last and stamp - last < passed_ns * 2 + max(0, clocks.wall_ns - last) + JUMP_NS
        last = stamp


def test_stamps_of_a_recording_keep_their_differences() -> None:
    clocks = Clocks()
    clock = WallClock(lambda: clocks.wall_ns, lambda: clocks.monotonic_ns)
    first = clock.stamp_ns(7)
    clocks.pass_ns(SECOND_NS, 3 * SECOND_NS)
    assert clock.stamp_ns(1_000_007) - first == 1_000_000
