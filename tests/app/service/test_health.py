"""Health: what a run was asked for and does not give, and that it is well again afterwards."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from roma_device.app.service import live_stats
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import ALARM_FRAMES, LiveStats
from roma_device.app.service.metrics import Metrics
from roma_device.app.service.state import ServiceState
from roma_device.app.service.status_file import StatusFile, read_status
from roma_device.app.sinks import SinkError, disk_room
from roma_device.app.sinks.results import ResultsSink
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.runtime.pose_estimate import PoseEstimate
from roma_device.runtime.types import DepthMap, Result
from tests.logged import logged

from .conftest import LiveStub, result


class Sick:
    """A sink that fails while it is sick."""

    is_sick = True

    def write(self, result: Result) -> None:
        if self.is_sick:
            raise SinkError("cannot write out/results.jsonl: No space left on device")


class StillRecorder:
    folder, written, lost, failures, problem = Path("recording"), 7, 3, 1, "the recording stands still"

    def as_json(self) -> dict[str, object]:
        return {"problem": self.problem}


def blind(index: int) -> Result:
    """Nothing is known in it, as of pairs that do not belong together."""
    one = result(index)
    nothing = np.full((4, 8), np.nan, np.float32)
    return replace(one, valid=np.zeros((4, 8), bool), depth=DepthMap(nothing, nothing, 0))


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.exposition().decode().splitlines())


def test_no_frame_is_no_health(figures: LiveStats) -> None:
    health = Health(figures)
    assert health.problems() == {"camera": "there was no frame yet"}
    figures.add(result(0))
    assert health.is_good and health.as_json() == {"healthy": True, "problems": {}}


def test_frames_without_depth_are_no_health_however_often_they_come(figures: LiveStats) -> None:
    health = Health(figures, healthy_s=0.0)
    figures.add(blind(0))
    figures.recent[-1] = replace(figures.recent[-1], done_ns=time.monotonic_ns() + 10**9)
    assert "there is no depth in them" in health.problems()["depth"]
    figures.add(result(1))
    assert replace(health, healthy_s=10.0).is_good


def test_a_lost_pose_is_no_pose(figures: LiveStats) -> None:
    for index in range(3):
        figures.add(replace(result(index), depth=None, pose=PoseEstimate(0, "lost", ("dark",), 1)))
    assert figures.task == "pose" and figures.useless == 3
    figures.add(replace(result(3), depth=None, pose=PoseEstimate(0, "degraded", (), 1)))
    assert figures.useless == 0


def test_the_alarm_sounds_once_after_so_many_frames_in_a_row(figures: LiveStats, monkeypatch) -> None:
    with logged("WARNING") as said:
        for index in range(ALARM_FRAMES - 1):
            figures.add(blind(index))
        figures.add(result(ALARM_FRAMES))
        for index in range(ALARM_FRAMES - 1):
            figures.add(blind(index))
        assert said == []
        for index in range(2 * ALARM_FRAMES):
            figures.add(blind(index))
        assert len(said) == 1 and f"no depth in the last {ALARM_FRAMES} frames (0.0 %" in said[0]
        monkeypatch.setattr(live_stats, "ALARM_S", 0.0)
        figures.add(blind(0))
    assert len(said) == 2 and figures.as_json()["useless_frames"] == 3 * ALARM_FRAMES


def test_sinks_and_recording_show_in_health_and_metrics(figures: LiveStats) -> None:
    sinks, sick, recorder = SinkSet({}), Sick(), StillRecorder()
    sinks = SinkSet({"results": sick})
    health = Health(figures, sinks=sinks, recorder=recorder)  # type: ignore[arg-type]
    metrics = Metrics(health, "stereo")
    figures.add(result(0))
    sinks.write(result(0))
    assert health.problems() == {
        "results": "cannot write out/results.jsonl: No space left on device",
        "recording": "the recording stands still",
    }
    assert {
        'roma_sink_failures_total{sink="results"} 1.0',
        'roma_sink_missed_results_total{sink="results"} 1.0',
        'roma_sink_working{sink="results"} 0.0',
        "roma_recording_working 0.0",
        "roma_recording_lost_pairs_total 3.0",
        "roma_healthy 0.0",
        "roma_useless_frames 0.0",
    } <= lines(metrics)
    sick.is_sick, recorder.problem = False, ""
    sinks.write(result(1))
    assert health.is_good and {"roma_healthy 1.0", 'roma_sink_working{sink="results"} 1.0'} <= lines(metrics)
    assert health.as_json()["sinks"]["results"] == {"written": 1, "missed": 1, "failures": 1, "problem": ""}


def test_the_last_word_of_a_dead_run_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / "status.json"
    StatusFile(path).write({"healthy": True, "problems": {}})
    assert read_status(path)["healthy"] is True and read_status(path)["process"] == os.getpid()
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    monkeypatch.setattr(time, "clock_gettime", lambda _: now_s + 12)  # 10 s are promised
    status = read_status(path)
    assert status["healthy"] is False and status["problems"]["status"].startswith("nothing was written for 1")
    state = ServiceState({"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, status)
    assert "not well: status: nothing was written" in state.as_text()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"healthy": true}', '{"healthy": true, "written_boot_s": "x"}'])
def test_a_status_that_is_none_is_not_healthy(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path / "status.json").get("healthy", False) is False
    assert read_status(tmp_path / "gone") == {}


def test_a_status_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    with logged("INFO") as said:
        folder = tmp_path / "run"
        folder.write_text("in the way")
        file = StatusFile(folder / "status.json")
        for _ in range(5):
            file.write({"healthy": True})
        folder.unlink()
        file.write({"healthy": True})
    assert json.loads((folder / "status.json").read_text())["healthy"] is True
    assert len(said) == 4 and "will try again" in said[0] and "again" in said[-1]


FRAME_S, PATIENCE_S = 0.1, 10.0


@pytest.mark.parametrize("trouble", ["no frame", "no depth", "sink", "disk"])
def test_health_falls_and_rises_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """At 10 frames a second: good for 3 s, in trouble for 30 s, good again; the clock is the test's own."""
    now = SimpleNamespace(s=1000.0)
    clock = SimpleNamespace(monotonic_ns=lambda: round(now.s * 1e9), monotonic=lambda: now.s)
    for module in (live_stats, disk_room):
        monkeypatch.setattr(module, "time", clock)
    is_full = [False]
    room = SimpleNamespace(f_blocks=10**9, f_frsize=4096)
    statvfs = lambda _: SimpleNamespace(**vars(room), f_bavail=0 if is_full[0] else 10**8)  # noqa: E731
    monkeypatch.setattr(disk_room.os, "statvfs", statvfs)
    sick, stats = Sick(), LiveStats(LiveStub())
    sick.is_sick = False
    turned: list[tuple[float, bool]] = []
    with ResultsSink(tmp_path) as results:
        sinks = SinkSet({"other": sick, "results": results}, clock.monotonic)
        health = Health(stats, sinks=sinks)
        while now.s < 1060:
            now.s += FRAME_S
            is_bad = 1003 < now.s < 1033
            sick.is_sick, is_full[0] = is_bad and trouble == "sink", is_bad and trouble == "disk"
            if not (is_bad and trouble == "no frame"):
                one = blind(0) if is_bad and trouble == "no depth" else result(0)
                sinks.write(one)
                stats.add(one)
            if not turned or turned[-1][1] != health.is_good:
                turned.append((now.s, health.is_good))
    assert [good for _, good in turned] == [True, False, True]
    assert turned[1][0] - 1003 <= PATIENCE_S + 2 * FRAME_S and turned[2][0] - 1033 <= PATIENCE_S
