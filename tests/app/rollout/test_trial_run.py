"""Runs with something on trial: what gives good frames stays, all else goes back, and health says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from roma_device.app.installed.models import InstalledModels
from roma_device.app.installed.settings import InstalledSettings
from roma_device.app.installed.slots import calibration_slot
from roma_device.app.installed.trial import Terms
from roma_device.app.rollout.install_model import install_model
from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.store import CalibrationStore
from tests.app.command_line import call

from .conftest import Bundle

Serve = Callable[..., tuple[int, str]]
QUICK = Terms(good_frames=3, limit_s=1.5)
LONG_ENOUGH = Terms(good_frames=3, limit_s=4)
"""Some frames come in that time on a busy machine too."""

PATIENT = Terms(good_frames=3, limit_s=600)
"""For what passes, however busy the machine is."""

SETTINGS = {"camera": "simulated:room?size=128x64", "model": "installed", "engine": "opencv", "input_width": 128}


@pytest.fixture
def settings(state: Path) -> Path:
    """Settings in use: the simulated rig, and what is installed."""
    path = state.parent / "settings.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "monitor": {"status_file": str(state / "status.json")}}))
    store = InstalledSettings()
    store.slot.versions.use(store.add(path.read_bytes()))
    return path


@pytest.fixture
def serve(settings: Path, capsys: pytest.CaptureFixture[str]) -> Serve:
    """One start of the service: exit code and what it says on stderr."""

    def run(*words: str) -> tuple[int, str]:
        code, _, err = call(capsys, "-v", "run", "--config", "installed", *words)
        return code, err

    return run


def status(state: Path) -> dict[str, object]:
    found = json.loads((state / "status.json").read_text())
    assert isinstance(found, dict)
    return found


def two_models(bundle: Bundle, terms: Terms = QUICK, **second: object) -> None:
    """The first in use, the second on trial."""
    store = InstalledModels()
    store.slot.versions.use(install_model(str(bundle("old")), None, None).number)
    store.slot.use_on_trial(install_model(str(bundle("new", **second)), None, None).number, terms)


def test_a_model_with_good_frames_stays(bundle: Bundle, state: Path, serve: Serve) -> None:
    two_models(bundle, PATIENT, min_confidence=0.1)
    code, err = serve("--frames", "6")
    assert code == 0 and "model version 2 is on trial" in err and "has passed its trial: 3 good frames" in err
    assert InstalledModels().kept.current() == 2 and InstalledModels().slot.trial() is None
    assert serve("--frames", "1")[0] == 0 and InstalledModels().kept.current() == 2


def test_a_model_that_passes_verification_and_gives_nothing_goes_back(
    bundle: Bundle, state: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    two_models(bundle, LONG_ENOUGH, min_confidence=1.0)  # the network is the same, and nothing is ever certain enough
    begun_s = time.monotonic()
    code, err = serve()
    assert code == os.EX_TEMPFAIL and "model version 2 goes back to version 1: not enough good frames" in err
    code, err = serve("--max-fps", "2", "--frames", "4")  # systemd starts it anew; slow enough for the status file
    assert code == 0 and "trial" not in err and time.monotonic() - begun_s < 60
    installed = status(state)["installed"]
    assert isinstance(installed, dict) and installed["model"]["version"] == 1
    assert installed["model"]["returned"]["version"] == 2 and "0.0 % known" in installed["model"]["returned"]["why"]
    rows = json.loads(call(capsys, "model", "list", "--json")[1])
    assert [row["state"] for row in rows] == ["in use", "went back"]


def test_a_model_that_no_engine_takes_goes_back(bundle: Bundle, state: Path, serve: Serve) -> None:
    two_models(bundle, network=b"not a network")
    code, err = serve()
    assert code == os.EX_TEMPFAIL and "model version 2 goes back to version 1" in err and "Traceback" not in err
    assert InstalledModels().kept.current() == 1


def test_the_first_model_goes_back_to_the_one_of_the_program(bundle: Bundle, state: Path, serve: Serve) -> None:
    store = InstalledModels()
    store.slot.use_on_trial(install_model(str(bundle("new", b"not a network")), None, None).number, QUICK)
    code, err = serve()
    assert code == os.EX_TEMPFAIL and "goes back to what was there before any" in err and store.kept.current() is None


def test_a_run_that_is_killed_on_trial_goes_back_at_the_next_start(
    bundle: Bundle, state: Path, serve: Serve, settings: Path
) -> None:
    two_models(bundle, min_confidence=0.1)
    InstalledModels().slot.use_on_trial(2, Terms(good_frames=100_000, limit_s=3600))
    command = [sys.executable, "-m", "roma_device.app.cli", "-v", "run", "--config", "installed"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()  # the first frame is through
        os.kill(process.pid, signal.SIGKILL)
    code, err = serve("--frames", "2")
    assert code == 0 and "model version 2 goes back to version 1: the run broke off" in err


def test_a_run_that_is_ended_in_order_goes_on_with_the_trial(bundle: Bundle, state: Path, serve: Serve) -> None:
    two_models(bundle, PATIENT, min_confidence=0.1)
    assert serve("--frames", "1")[0] == 0 and InstalledModels().slot.trial() is not None
    assert serve("--frames", "6")[0] == 0 and InstalledModels().slot.trial() is None


def test_settings_that_cannot_work_go_back(state: Path, serve: Serve, settings: Path) -> None:
    store = InstalledSettings()
    wrong = yaml.safe_dump({**SETTINGS, "camera": "v4l2:/dev/none-0,/dev/none-1"}).encode()
    store.slot.use_on_trial(store.add(wrong), QUICK)
    code, err = serve()
    assert code == os.EX_TEMPFAIL and "settings version 2 goes back to version 1" in err
    assert serve("--frames", "2")[0] == 0


def test_a_calibration_that_makes_no_depth_goes_back(state: Path, serve: Serve, settings: Path) -> None:
    store, slot = CalibrationStore(), calibration_slot()
    for number in (1, 2):
        store.add(virtual_rig((128, 64), variant=number))
    store.use(1)
    slot.use_on_trial(2, Terms(good_frames=3, limit_s=1.5, least_valid=1.0))
    assert serve()[0] == os.EX_TEMPFAIL and slot.versions.current() == 1


def test_a_camera_that_is_gone_says_nothing_against_a_model(
    bundle: Bundle, state: Path, serve: Serve, settings: Path
) -> None:
    two_models(bundle, min_confidence=0.1)
    code, _ = serve("--camera", "v4l2:/dev/none-0,/dev/none-1")
    assert code not in (0, os.EX_TEMPFAIL) and InstalledModels().slot.trial() is not None


def test_settings_are_checked_before_they_are_stored(
    state: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write_text("framse: 3\n")
    code, _, err = call(capsys, "config", "install", str(settings))
    assert code == os.EX_CONFIG and ":1: framse: unknown key" in err
    settings.write_text("model: nowhere\n")
    assert call(capsys, "config", "install", str(settings))[0] == os.EX_NOINPUT
    assert InstalledSettings().kept.numbers() == [1]
    settings.write_text("max_fps: 5.0\n")
    code, out, _ = call(capsys, "config", "install", str(settings), "--json")
    assert code == 0 and json.loads(out)["version"] == 2
    assert call(capsys, "config", "show")[1] == "max_fps: 5.0\n"
    assert json.loads(call(capsys, "config", "list", "--json")[1])[1]["state"] == "in use"
    assert call(capsys, "config", "rollback")[0] == 0 and InstalledSettings().kept.current() == 1
