"""``run --task pose`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.evaluate.odometry.read import read_trajectory
from tests.app.command_line import call

RIG = "simulated:boxes?size=320x240&fps=8&frames=4"


def test_stdout_is_a_trajectory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "run", "--task", "pose", "--camera", RIG, "--output", str(tmp_path / "out"))
    (tmp_path / "stdout.tum").write_text(out)
    printed, saved = read_trajectory(tmp_path / "stdout.tum"), read_trajectory(tmp_path / "out" / "trajectory.tum")
    assert code == 0 and len(printed.poses) == len(saved.poses) == 4
    assert "# poses: 4 ok" in out and "% of the path" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "trajectory.tum",
        "trajectory.png",
        "results.jsonl",
        "run.json",
    }


@pytest.mark.slow
def test_depth_and_pose_together(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "run", "--task", "depth,pose", "--camera", RIG, "--frames", "2", "--json")
    *frames, last = map(json.loads, out.splitlines())
    assert code == 0 and [frame["pose"]["state"] for frame in frames] == ["ok", "ok"]
    assert all(frame["median_depth_m"] for frame in frames) and last["summary"]["pose"]["states"] == {"ok": 2}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "pose", "--save", "depth", "--output", "out"], "--save depth needs depth"),
        (["--task", "depth", "--save", "trajectory", "--output", "out"], "--save trajectory needs poses"),
        (["--task", "dept"], "did you mean depth?"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, "run", "--camera", RIG, "--frames", "1", *words)
    assert code == 64 and said in err and len(err.splitlines()) == 1


def test_a_rig_without_geometry_has_no_pose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = next(iter(open_camera(RIG).frames()))
    for side in ("left", "right"):
        cv2.imwrite(str(tmp_path / f"{side}.png"), getattr(frame, side).image)
    camera = f"images:{tmp_path / 'left.png'},{tmp_path / 'right.png'}"
    code, _, err = call(capsys, "run", "--task", "pose", "--rectified", "--camera", camera)
    assert code == 64 and "a pose in metres needs the rig's geometry" in err


@pytest.mark.slow
def test_points_may_be_followed_by_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if int(cv2.__version__.split(".")[0]) < 5:
        pytest.importorskip("onnxruntime", reason="OpenCV 4 has no GridSample, and ONNX Runtime is not installed")
    (tmp_path / "config.yaml").write_text("odometry:\n  tracker: two-view\n")
    words = ["--config", str(tmp_path / "config.yaml"), "--task", "pose", "--camera", RIG, "--json"]
    code, out, _ = call(capsys, "run", *words)
    *frames, last = map(json.loads, out.splitlines())
    assert code == 0 and last["summary"]["pose"]["states"] == {"ok": 4}
    assert min(frame["pose"]["inliers"] for frame in frames) > 50


@pytest.mark.parametrize(
    ("tracker", "said"),
    [("magic", "tracker 'magic' is not klt, and no model 'magic'"), ("stereo", "tracker: model stereo matches along")],
)
def test_an_unknown_tracker_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tracker: str, said: str
) -> None:
    (tmp_path / "config.yaml").write_text(f"odometry:\n  tracker: {tracker}\n")
    words = ["--config", str(tmp_path / "config.yaml"), "--task", "pose", "--camera", RIG]
    code, _, err = call(capsys, "run", *words)
    assert code in (64, 66) and said in err and len(err.splitlines()) == 1
    code, _, err = call(capsys, "evaluate", "odometry", "--index", "clips.json", "--tracker", tracker)
    assert code in (64, 66) and said in err
