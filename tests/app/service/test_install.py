"""Files of the service: where they go, what systemd thinks of them, and that they go away again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.app.service.install import (
    CONFIG,
    DROP_IN,
    UDEV_RULES,
    UNIT,
    ServiceError,
    check_executable,
    install,
    quoted,
    service_files,
    uninstall,
)
from roma_device.app.service.rights import GRANTS, ServiceEngine, engine_of
from roma_device.app.settings.settings import load_settings
from roma_device.runtime.engines.nodes import NODES

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
        "etc/roma-device/config.yaml",
        "usr/lib/sysusers.d/roma-device.conf",
    }
    unit = (root / "etc/systemd/system" / UNIT).read_text()
    assert f"ExecStart={EXECUTABLE} -v run --config installed" in unit


def test_a_dry_run_only_talks(tmp_path: Path) -> None:
    lines = list(install(EXECUTABLE, tmp_path, dry_run=True))
    assert len(lines) == 3 and list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("/opt/roma/bin/roma-device", "/opt/roma/bin/roma-device"),
        ("/opt/my board/roma", '"/opt/my board/roma"'),
        ("/opt/100%/$HOME/roma", "/opt/100%%/$HOME/roma"),
        ('/opt/a"b\\c/roma', '"/opt/a\\"b\\\\c/roma"'),
        ("/opt/a;b'/roma", '"/opt/a;b\'/roma"'),
    ],
)
def test_the_program_is_one_word_of_the_unit(name: str, word: str) -> None:
    assert quoted(Path(name)) == word
    unit = next(file.content for file in service_files(Path(name)) if file.path.name == UNIT)
    assert f"\nExecStart={word} -v run " in unit


@pytest.mark.parametrize("name", ["/opt/roma\nUser=root\nExecStart=/bin/sh", "/opt/\x1b[2J", "bin/roma-device"])
def test_a_program_that_no_unit_can_hold_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="absolute path without control characters") as caught:
        list(install(Path(name), tmp_path, dry_run=False))
    assert caught.value.exit_code == os.EX_USAGE and "\n" not in str(caught.value)


def test_the_service_reaches_its_files_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        list(install(EXECUTABLE, tmp_path, dry_run=False))
    finally:
        os.umask(previous)
    made = list(tmp_path.rglob("*"))
    assert len(made) > 8
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o755}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o644}


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


@pytest.mark.parametrize("engine", ["ax", "axcl"])
def test_an_engine_gets_its_rights_and_loses_them_again(tmp_path: Path, engine: ServiceEngine) -> None:
    lines = list(install(EXECUTABLE, tmp_path, dry_run=False, engine=engine))
    drop_in, rules = (tmp_path / path.relative_to("/") for path in (DROP_IN, UDEV_RULES))
    granted = {line.split("/dev/")[1].split()[0] for line in drop_in.read_text().splitlines() if "DeviceAllow=" in line}
    assert ("mem" in granted) == ("CAP_SYS_RAWIO" in drop_in.read_text()) == (engine == "ax")
    by_udev = re.findall(r'KERNEL=="([^"]+)"', rules.read_text())
    patterns = [pattern for group in by_udev for pattern in group.split("|")]
    assert all(any(fnmatch(node, pattern) for pattern in patterns) for node in granted)
    assert sorted(patterns) == sorted(NODES[engine])
    assert [line.split(":")[0] for line in lines if line.startswith("grant")] == [
        f"grant {grant.what}" for grant in GRANTS[engine]
    ]
    assert f"remove {drop_in}" in list(install(EXECUTABLE, tmp_path, dry_run=False, engine="host"))
    assert not drop_in.exists() and not rules.exists()


@pytest.mark.parametrize(("node", "engine"), [("axcl_host", "axcl"), ("ax_sys", "ax"), ("null", "host")])
def test_the_engine_is_found_by_its_node(tmp_path: Path, node: str, engine: str) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / node).touch()
    assert engine_of(tmp_path) == engine


EXPOSURES = (("host", 15), ("axcl", 15), ("ax", 18))
"""Engine -> ten times what systemd 252 says of its unit, which docs/service.md has too."""


@needs_systemd
@pytest.mark.parametrize(("engine", "most"), EXPOSURES)
def test_systemds_exposure_score(tmp_path: Path, engine: ServiceEngine, most: int) -> None:
    list(install(EXECUTABLE, tmp_path, dry_run=False, engine=engine))
    path, drop_in = tmp_path / "etc/systemd/system" / UNIT, tmp_path / DROP_IN.relative_to("/")
    if drop_in.exists():  # systemd-analyze has no way to be given one
        path.write_text(path.read_text() + drop_in.read_text())
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", "--no-pager", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot analyze units offline")
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_settings_are_yaml_with_a_comment_for_each_part() -> None:
    text = next(file.content for file in service_files(EXECUTABLE) if file.path == CONFIG)
    assert set(yaml.safe_load(text)) == {"camera", "calibration", "model", "monitor"} and text.count("#") >= 4
