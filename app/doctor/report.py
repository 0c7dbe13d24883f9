"""All diagnostic checks, and their report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from roma_device.app.doctor import Check, CheckResult, Machine
from roma_device.app.installed import InstallError
from roma_device.app.installed.settings import InstalledSettings
from roma_device.app.service.install import CONFIG
from roma_device.app.settings.settings import Settings, SettingsError, load_settings

from .hardware import check_cameras, check_temperatures, check_usb
from .npu import check_npu
from .programs import check_engines, check_model, check_packages, check_python
from .state import check_calibration, check_clock, check_disk, check_memory, check_service

CHECKS: tuple[Check, ...] = (
    check_python,
    check_packages,
    check_engines,
    check_model,
    check_npu,
    check_cameras,
    check_usb,
    check_calibration,
    check_temperatures,
    check_disk,
    check_memory,
    check_clock,
    check_service,
)
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def examine(config: Path | None, root: Path = Path("/")) -> list[CheckResult]:
    """Look at everything; ``config`` of None is the service's settings, and the defaults where there are none."""
    settings, findings = _settings(config, root)
    machine = Machine(root, settings)
    for check in CHECKS:
        findings.extend(_looked(check, machine))
    return findings


def _settings(config: Path | None, root: Path) -> tuple[Settings, list[CheckResult]]:
    try:
        in_use = InstalledSettings().path() if root == Path("/") else CONFIG
        path = config or root / in_use.relative_to("/")
        if config is None and not path.exists():
            return Settings(), [CheckResult("ok", "settings", f"{path} is not there: these are the defaults")]
        return load_settings(path), [CheckResult("ok", "settings", str(path))]
    except SettingsError as error:
        return Settings(), [CheckResult("fail", "settings", str(error), "mend that line")]
    except InstallError as error:
        fix = "ask as root, or name the settings by --config; else install them anew (roma-device config install)"
        return Settings(), [CheckResult("fail", "settings", str(error), fix)]


def _looked(check: Check, machine: Machine) -> Iterator[CheckResult]:
    """A check that fails itself is a finding too: the others still count."""
    try:
        yield from check(machine)
    except Exception as error:
        name = getattr(check, "__name__", "check").removeprefix("check_")
        yield CheckResult("warn", name, f"could not be checked: {type(error).__name__}: {error}", "please report this")


def exit_code(findings: list[CheckResult]) -> int:
    """0: all is well, 1: warnings, 2: something is broken."""
    levels = {finding.level for finding in findings}
    return 2 if "fail" in levels else 1 if "warn" in levels else os.EX_OK


def findings_as_text(findings: list[CheckResult]) -> str:
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{MARKS[finding.level]}  {finding.name}: {finding.text}")
        if finding.level != "ok" and finding.fix:
            lines.append(f"      -> {finding.fix}")
    return "\n".join(lines)
