"""The doctor, on machines that are made of files: each trouble is found, and has a cure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from roma_device.app.cameras.simulated import virtual_rig
from roma_device.app.doctor import CheckResult, Machine, hardware, report, state
from roma_device.app.doctor.report import CHECKS, examine, exit_code, findings_as_text
from roma_device.app.settings.settings import Settings
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.store import CalibrationStore


def machine(root: Path, **settings: object) -> Machine:
    return Machine(root, Settings().overridden(**settings))


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def levels(findings: list[CheckResult]) -> dict[str, str]:
    return {finding.name: finding.level for finding in findings}


def test_this_machine_can_be_examined_and_every_trouble_has_a_cure() -> None:
    findings = examine(None)
    assert {"settings", "python", "packages", "engine", "model", "npu", "disk"} <= {one.name for one in findings}
    assert all(finding.fix for finding in findings if finding.level != "ok")
    assert not any("could not be checked" in finding.text for finding in findings)
    assert json.loads(json.dumps([finding.as_json() for finding in findings]))
    assert findings_as_text(findings).count("\n") >= len(findings) - 1


def test_exit_codes_are_those_of_the_worst() -> None:
    good, warn, fail = (CheckResult(level, "x", "", "") for level in ("ok", "warn", "fail"))  # type: ignore[arg-type]
    assert [exit_code([good]), exit_code([good, warn]), exit_code([warn, fail, good])] == [0, 1, 2]


def test_wrong_settings_are_a_finding_and_the_rest_is_still_examined(tmp_path: Path) -> None:
    findings = examine(write(tmp_path, "settings.yaml", "camrea: simulated\n"))
    first = findings[0]
    assert first.level == "fail" and "settings.yaml:1: camrea: unknown key; did you mean camera?" in first.text
    assert len({finding.name for finding in findings}) > 5


def test_a_check_that_fails_itself_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_broken(machine: Machine) -> list[CheckResult]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(report, "CHECKS", (check_broken, *CHECKS[:1]))
    found = levels(examine(None))
    assert found["broken"] == "warn" and "python" in found


def test_cameras_that_the_settings_name_and_that_are_not_there(tmp_path: Path) -> None:
    found = list(hardware.check_cameras(machine(tmp_path, camera="v4l2:/dev/video0,/dev/video1")))
    assert [finding.level for finding in found] == ["fail"] * 3
    assert "/dev/video1, which the settings name, is not there" in found[2].text


def test_two_cameras_that_do_not_fit_into_one_usb_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from roma_device.app.cameras.v4l2.discover import FoundCamera

    for number in (0, 1):
        write(tmp_path, f"sys/class/video4linux/video{number}/device/name", "")
        write(tmp_path, f"sys/class/video4linux/video{number}/device/busnum", "1")
        write(tmp_path, f"sys/class/video4linux/video{number}/device/speed", "480")
    cameras = [FoundCamera(f"/dev/video{number}", "", "") for number in (0, 1)]
    monkeypatch.setattr(hardware, "find_cameras", lambda root: cameras)
    (found,) = hardware.check_usb(machine(tmp_path, camera="v4l2:0,1?size=1280x720&fps=30"))
    assert found.level == "warn" and "885 Mbit/s" in found.text and "MJPG" in found.fix
    (found,) = hardware.check_usb(machine(tmp_path, camera="v4l2:0,1?size=640x480&fps=15"))
    assert found.level == "ok"


@pytest.mark.parametrize(("millidegrees", "level"), [("45000", "ok"), ("90000", "warn"), ("105000", "fail")])
def test_temperatures(tmp_path: Path, millidegrees: str, level: str) -> None:
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "20000\n")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", millidegrees)
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "npu")
    (found,) = hardware.check_temperatures(machine(tmp_path))
    assert found.level == level and "npu" in found.text


def calibrated(path: Path, made_at: str, epipolar_px: float) -> Path:
    save_calibration(path, virtual_rig((64, 48)))
    fields = yaml.safe_load(path.read_text()) | {"made_at": made_at, "quality": {"epipolar_px": epipolar_px}}
    path.write_text(yaml.safe_dump(fields))
    load_calibration(path)
    return path


@pytest.mark.parametrize(
    ("made_at", "residual_px", "level", "words"),
    [
        ("2999-01-01T00:00:00Z", 0.3, "ok", "residual 0.30 px"),
        ("2001-01-01", 0.3, "warn", "days old"),
        ("2999-01-01T00:00:00+00:00", 1.5, "warn", "residual 1.50 px"),
        ("some day", 0.3, "ok", "age unknown"),
    ],
)
def test_calibrations(tmp_path: Path, made_at: str, residual_px: float, level: str, words: str) -> None:
    file = calibrated(tmp_path / "rig.yaml", made_at, residual_px)
    (found,) = state.check_calibration(machine(tmp_path, calibration=file))
    assert found.level == level and words in found.text


def test_the_stored_calibration_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    store = CalibrationStore()
    store.use(store.add(replace(virtual_rig((64, 48)), origin={"verdict": "redo"})).number)
    (found,) = state.check_calibration(machine(tmp_path, camera="v4l2:0,1"))
    assert found.level == "warn" and "verdict redo" in found.text and "0001.yaml" in found.text


def test_no_calibration_and_a_broken_one(tmp_path: Path) -> None:
    assert not list(state.check_calibration(machine(tmp_path)))  # the simulated rig brings its own
    (found,) = state.check_calibration(machine(tmp_path, camera="v4l2:0,1"))
    assert found.level == "warn" and "calibrate" in found.fix
    (found,) = state.check_calibration(machine(tmp_path, calibration=tmp_path / "no.yaml"))
    assert found.level == "fail"


def test_memory(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "MemTotal: 9 kB\nMemAvailable:     102400 kB\n")
    (found,) = state.check_memory(machine(tmp_path))
    assert found.level == "warn" and found.text == "100 MiB available"
