"""The commands for cameras, service and doctor as a user types them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .command_line import call


def test_cameras_are_listed_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "cameras")
    assert (code, err) == (0, "") and out
    code, out, _ = call(capsys, "cameras", "--json")
    assert code == 0 and isinstance(json.loads(out), list)


def test_service_files_go_below_a_root(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("service", "install", "--root", str(tmp_path), "--executable", "/opt/roma-device/bin/roma-device")
    code, out, _ = call(capsys, *words, "--dry-run")
    assert code == 0 and out.count("would write") == 3 and not list(tmp_path.iterdir())
    code, out, _ = call(capsys, *words)
    assert code == 0 and out.count("write") == 3 and "systemctl" not in out
    unit = (tmp_path / "etc/systemd/system/roma-device.service").read_text()
    assert "ExecStart=/opt/roma-device/bin/roma-device -v run" in unit
    code, out, _ = call(capsys, "service", "uninstall", "--root", str(tmp_path))
    assert code == 0 and out.count("remove") == 2


def test_a_service_below_home_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "service", "install", "--dry-run", "--executable", "/home/me/bin/roma-device")
    assert code == os.EX_USAGE and out == "" and "install it in /opt" in err


def test_without_systemd_its_commands_say_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in ("status", "logs"):
        code, _, err = call(capsys, "service", command)
        assert code == os.EX_UNAVAILABLE and "need systemd" in err


def test_the_doctors_exit_code_is_0_1_or_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = call(capsys, "doctor", "--json")
    assert code in (0, 1) and err == ""
    assert {"level", "name", "text", "cure"} == set(json.loads(out)[0])
    (tmp_path / "bad.yaml").write_text("engine: fast\n")
    code, out, _ = call(capsys, "doctor", "--config", str(tmp_path / "bad.yaml"))
    assert code == 2 and "FAIL  settings:" in out and "bad.yaml:1" in out


def test_a_run_is_recorded_and_its_replay_gives_the_same_results(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("--engine", "opencv", "--output")
    camera = "simulated:board?frames=3&size=96x64"
    code, *_ = call(capsys, "run", "--camera", camera, "--record", str(tmp_path / "rec"), *words, str(tmp_path / "a"))
    assert code == 0
    code, *_ = call(capsys, "run", "--camera", f"recording:{tmp_path / 'rec'}", *words, str(tmp_path / "b"))
    assert code == 0
    first, second = (_results(tmp_path / name) for name in "ab")
    assert first == second and len(first) == 3


def _results(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key not in ("times", "total_ms")} for line in lines
    ]


def test_max_fps_and_frames_hold_together(capsys: pytest.CaptureFixture[str]) -> None:
    camera = "simulated:board?size=96x64"
    code, out, _ = call(
        capsys, "run", "--camera", camera, "--engine", "opencv", "--frames", "3", "--max-fps", "20", "--json"
    )
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert code == 0 and summary["frames"] == 3 and summary["fps"] < 25
