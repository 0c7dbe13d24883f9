"""Trajectories against references: the figures, the formats, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.odometry.read import Trajectory, read_trajectory
from roma_device.app.evaluate.odometry.report import score_trajectory
from roma_device.app.sinks.trajectory import tum_line
from roma_device.app.trajectories.error import spans_of_length, spans_of_time
from roma_device.calibration.pose import Pose
from roma_device.runtime.pose_estimate import body_pose, optical_pose
from tests.app.command_line import call


def circle(count: int = 60, radius_m: float = 5.0) -> list[Pose]:
    """A vehicle that drives a circle; body axes."""
    angles = np.linspace(0, 1.8 * np.pi, count)
    places = radius_m * np.column_stack([np.sin(angles), 1 - np.cos(angles), 0.02 * angles])
    return [Pose.from_rotation_vector([0, 0, a], place) for a, place in zip(angles, places, strict=True)]


def trajectory(poses: list[Pose], oriented: bool = True) -> Trajectory:
    return Trajectory("test", tuple(poses), np.arange(len(poses)) * 0.1, oriented)


def write_tum(path: Path, poses: list[Pose]) -> Path:
    path.write_text("# remark\n" + "".join(tum_line(10**8 * n, pose) + "\n" for n, pose in enumerate(poses)))
    return path


def write_kitti(path: Path, poses: list[Pose]) -> Path:
    path.write_text("".join(" ".join(map(str, pose.matrix[:3].ravel())) + "\n" for pose in poses))
    return path


def test_a_trajectory_in_other_frames_has_no_error() -> None:
    """Another world, and a camera's axes instead of the vehicle's: both are found and removed."""
    world = Pose.from_rotation_vector([0.3, -2.0, 1.0], [40.0, -3.0, 7.0])
    score = score_trajectory("x", trajectory([world @ optical_pose(pose) for pose in circle()]), trajectory(circle()))
    assert score.absolute.rmse_m < 1e-9 and score.segments.translation < 1e-9
    assert score.segments.rotation_deg < 1e-6 and score.missing == 0


def test_a_scale_of_two_percent_shows_as_two_percent() -> None:
    long = [Pose(pose.rotation, 1.02 * pose.translation_m) for pose in circle()]
    score = score_trajectory("x", trajectory(long), trajectory(circle()))
    assert score.relative["1 frame"].translation == pytest.approx(0.02, abs=1e-3)
    assert score.segments.translation == pytest.approx(0.02, abs=1e-3)
    assert score.absolute.rmse_m == pytest.approx(0.02 * 5.0, rel=0.35)


def test_positions_alone_suffice() -> None:
    score = score_trajectory(
        "x", trajectory(circle()), trajectory([Pose(np.eye(3), p.translation_m) for p in circle()], False)
    )
    assert score.absolute.rmse_m < 1e-9 and score.segments.rotation_deg is None


def test_poses_of_the_same_time_are_compared() -> None:
    reference = trajectory(circle())
    score = score_trajectory("x", reference.chosen(np.arange(0, 60, 3)), reference)
    assert score.poses == 20 and score.missing == pytest.approx(2 / 3) and score.absolute.rmse_m < 1e-9


def test_formats_are_read_as_they_were_written(tmp_path: Path) -> None:
    tum = read_trajectory(write_tum(tmp_path / "a.tum", circle()))
    kitti = read_trajectory(write_kitti(tmp_path / "a.txt", circle()))
    for read in (tum, kitti):
        for pose, expected in zip(read.poses, circle(), strict=True):
            assert np.allclose(pose.matrix, expected.matrix, atol=1e-6)
    assert tum.times_s[7] == pytest.approx(0.7) and kitti.times_s is None


def test_the_command_compares_tum_with_kitti(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = (
        write_tum(tmp_path / "a.tum", circle()),
        write_kitti(tmp_path / "b.txt", [optical_pose(p) for p in circle()]),
    )
    code, out, _ = call(capsys, "evaluate", "odometry", *map(str, files), "--json")
    figures = json.loads(out)["sets"]["a.tum"]
    assert code == 0 and figures["ate"]["rmse_m"] < 1e-5 and figures["poses"] == 60
    code, out, _ = call(capsys, "evaluate", "odometry", *map(str, files))
    assert code == 0 and "ATE" in out and "segments" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n1 1 0 0 0 0 0 1\n1 2 0 0 0 0 0 1\n", ":3: repeats the time of line 2"),
        ("0 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 1\n1 1 0 0 0 0 0 1\n1 2 0 0 0 0 0 1\n", ":3: goes back in time"),
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 1\n", ":2: 7 numbers"),
        ("0 0 0 0 0 0 0 1\n1 0 0 nan 0 0 0 1\n", ":2: a number is not finite"),
        ("0 0 0 0 0 0 0 1\n1 0 0 x 0 0 0 1\n", ":2: not a line of numbers"),
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 2\n", ":2: the quaternion"),
        ("1 2 3\n4 5 6\n", ":1: 3 numbers"),
        ("# nothing\n", "two poses at least"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n2 0 0 0 0 1 0 0 0 0 1 0\n", ":2: the left 3x3 part"),
    ],
)
def test_a_broken_trajectory_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    broken, good = tmp_path / "broken.tum", write_tum(tmp_path / "good.tum", circle())
    broken.write_text(text)
    code, out, err = call(capsys, "evaluate", "odometry", str(broken), str(good))
    assert code == 65 and not out and said in err and len(err.splitlines()) == 1


def test_trajectories_of_different_clocks_are_refused() -> None:
    late = Trajectory("late", tuple(circle()), np.arange(60) * 0.1 + 1e6)
    with pytest.raises(EvaluationError, match="are the stamps of one clock"):
        score_trajectory("x", late, trajectory(circle()))


def test_a_reference_that_stands_still_is_refused() -> None:
    with pytest.raises(EvaluationError, match="does not move"):
        score_trajectory("x", trajectory(circle()), trajectory([Pose.identity()] * 60))


@pytest.mark.parametrize(
    "words", [[], ["one.tum"], ["one.tum", "two.tum", "--index", "clips.json"], ["one.tum", "--index", "clips.json"]]
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, _, err = call(capsys, "evaluate", "odometry", *words)
    assert code == 64 and "give either TRAJECTORY and REFERENCE, or --index" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not valid JSON"), ("{}", "'clips' must be a list"), ('{"clips": [{"id": 3}]}', "must be texts")],
)
def test_a_broken_index_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "clips.json").write_text(text)
    code, _, err = call(capsys, "evaluate", "odometry", "--index", str(tmp_path / "clips.json"))
    assert code == 65 and said in err and len(err.splitlines()) == 1


@pytest.mark.slow
def test_the_karlsruhe_street_within_its_ins(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "evaluate", "odometry", "--index", str(shared_data / "clips.json"), "--json")
    figures = json.loads(out)["sets"]["karlsruhe_2010_03_09_drive_0023"]
    assert code == 0 and figures["missing"] == 0
    assert figures["rpe"]["1 s"]["translation"] < 0.025 and figures["segments"]["translation"] < 0.025
    assert figures["ate"]["of_path"] < 0.01


def test_body_and_optical_frames_are_inverse() -> None:
    pose = Pose.from_rotation_vector([0.1, -0.4, 0.7], [1.0, 2.0, 3.0])
    assert np.allclose(body_pose(optical_pose(pose)).matrix, pose.matrix)
    ahead = body_pose(Pose(np.eye(3), np.array([0.0, 0.0, 1.0])))
    assert np.allclose(ahead.translation_m, [1, 0, 0])


def test_segments_end_where_the_length_is_reached() -> None:
    steps_m = np.array([0.0, 1.0, 2.0, 2.5, 5.0, 6.0])
    places_m = np.column_stack([steps_m, np.zeros((6, 2))])
    assert spans_of_length(places_m, 2.0) == [(0, 2), (1, 4), (2, 4), (3, 4)]


def test_a_second_is_not_made_of_two() -> None:
    assert spans_of_time(np.array([0.0, 1.2, 3.1]), 1.0) == [(0, 1)]
    assert spans_of_time(np.array([0.0, 1.9, 3.8]), 1.0) == []


def test_poses_of_other_times_do_not_belong_together() -> None:
    """Every second pose is 50 ms late, which a vehicle at 20 m/s feels as a metre."""
    reference = trajectory(circle())
    late = Trajectory("late", reference.poses, reference.times_s + np.where(np.arange(60) % 2, 0.05, 0.0), True)
    score = score_trajectory("x", late, reference)
    assert score.poses == 30 and score.absolute.rmse_m < 1e-9


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda pose: Pose(pose.rotation, 1000 * pose.translation_m), "is it in mm?"),
        (lambda pose: Pose(pose.rotation, 0.4 * pose.translation_m), "has it no metric scale?"),
        (lambda pose: Pose.from_quaternion(np.roll(pose.quaternion, 1), pose.translation_m), "as w x y z"),
        (lambda pose: Pose(pose.rotation.T, pose.translation_m), "its rotations as inverse ones"),
        (Pose.inverse, "world to camera"),
        (lambda pose: pose, ""),
    ],
)
def test_another_convention_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: Callable[[Pose], Pose], said: str
) -> None:
    """Its figures alone would look like bad odometry."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 1, (60, 6)).cumsum(axis=0).cumsum(axis=0) * [3e-3, 2e-3, 4e-3, 0.02, 0.01, 0.003]
    walk = [Pose.from_rotation_vector(step[:3], step[3:]) for step in steps]
    noisy = [Pose(pose.rotation, pose.translation_m + rng.normal(0, 0.01, 3)) for pose in walk]
    truth, found = write_tum(tmp_path / "truth.tum", walk), write_tum(tmp_path / "a.tum", list(map(changed, noisy)))
    code, _, err = call(capsys, "evaluate", "odometry", str(found), str(truth), "--json")
    assert code == 0 and (said in err if said else not err)


def test_three_poses_name_no_convention(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They lie nearly on a line, about which the sensors may be turned to each other."""
    walk = [Pose.from_rotation_vector([0, 0.002 * k * k, 0], [0.01 * k * k, 0, 0.07 * k]) for k in range(3)]
    drifted = [Pose.from_rotation_vector([0, -0.09 * k, 0], pose.translation_m) for k, pose in enumerate(walk)]
    truth, found = write_tum(tmp_path / "truth.tum", walk), write_tum(tmp_path / "a.tum", drifted)
    assert "fits" not in call(capsys, "evaluate", "odometry", str(found), str(truth))[2]


def test_a_position_beyond_the_earth_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write_tum(tmp_path / "truth.tum", circle())
    far = write_tum(tmp_path / "a.tum", [Pose(pose.rotation, 1e300 * pose.translation_m) for pose in circle()])
    code, _, err = call(capsys, "evaluate", "odometry", str(far), str(truth))
    assert code == 65 and "in metres, and on Earth" in err and len(err.splitlines()) == 1


def test_a_file_of_one_letter_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tum"
    path.write_text("# " + "q" * 1_000_000 + "\n0 0 0 0 0 0 0 1\n1 1 0 0 0 0 0 x\n")
    assert call(capsys, "evaluate", "odometry", str(path), str(path))[0] == 65
