"""Files of the service: where they go, what systemd thinks of them, and that they go away again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.app.service.install import (
    CONFIG,
    UNIT,
    ServiceError,
    check_executable,
    install,
    service_files,
    uninstall,
)
from roma_device.app.settings.settings import load_settings

EXECUTABLE = Path(sys.executable)  # verify wants a program that is there

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    list(install(EXECUTABLE, tmp_path, dry_run=False))
    return tmp_path


def test_everything_is_written_below_the_root_and_nothing_is_run(root: Path) -> None:
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == {
        f"etc/systemd/system/{UNIT}",
        "etc/udev/rules.d/70-roma-device.rules",
        "etc/roma-device/config.yaml",
        "usr/lib/sysusers.d/roma-device.conf",
    }
    unit = (root / "etc/systemd/system" / UNIT).read_text()
    assert f"ExecStart={EXECUTABLE} -v run --config /etc/roma-device/config.yaml" in unit


def test_a_dry_run_only_talks(tmp_path: Path) -> None:
    lines = list(install(EXECUTABLE, tmp_path, dry_run=True))
    assert len(lines) == 4 and list(tmp_path.iterdir()) == []


def test_settings_of_the_user_survive_a_second_install_and_the_removal(root: Path) -> None:
    config = root / CONFIG.relative_to("/")
    config.write_text("camera: simulated\n")
    assert f"keep {config}" in list(install(EXECUTABLE, root, dry_run=False))
    list(uninstall(root, dry_run=False))
    assert [path for path in root.rglob("*") if path.is_file()] == [config]
    assert config.read_text() == "camera: simulated\n"
    assert list(uninstall(root, dry_run=False)) == []


def test_the_settings_that_come_with_it_are_valid(root: Path) -> None:
    settings = load_settings(root / CONFIG.relative_to("/"))
    assert settings.camera is not None and settings.monitor.listen is not None
    assert V4l2Spec.parse(settings.camera.partition(":")[2]).wait_s == 60


def test_a_program_that_the_service_cannot_see_is_refused() -> None:
    assert "ProtectHome" in check_executable(Path("/home/me/.venv/bin/roma-device"))
    assert not check_executable(Path("/opt/roma-device/bin/roma-device"))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    with pytest.raises(ServiceError, match="cannot write") as caught:
        list(install(EXECUTABLE, tmp_path, dry_run=False))
    assert caught.value.exit_code == os.EX_CANTCREAT


def test_wrong_settings_never_start_it_again() -> None:
    unit = next(file.content for file in service_files(EXECUTABLE) if file.path.name == UNIT)
    prevented = next(line for line in unit.splitlines() if line.startswith("RestartPreventExitStatus="))
    codes = set(prevented.partition("=")[2].split())
    assert {str(code) for code in (2, os.EX_USAGE, os.EX_DATAERR, os.EX_CONFIG)} <= codes
    assert str(os.EX_UNAVAILABLE) not in codes  # a camera that is gone may come back


@needs_systemd
def test_systemd_takes_the_unit(root: Path) -> None:
    path = root / "etc/systemd/system" / UNIT
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT in line]
    assert done.returncode == 0 and complaints == [], done.stderr


@needs_systemd
def test_systemds_exposure_score_is_at_most_2(root: Path) -> None:
    path = root / "etc/systemd/system" / UNIT
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot analyze units offline")
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_settings_are_yaml_with_a_comment_for_each_part() -> None:
    text = next(file.content for file in service_files(EXECUTABLE) if file.path == CONFIG)
    assert set(yaml.safe_load(text)) == {"camera", "calibration", "monitor"} and text.count("#") >= 4
