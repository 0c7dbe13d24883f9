"""Diagnostic checks of calibration, disk, memory, clock and service."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from roma_device.app.doctor import MIB, CheckResult, Machine, read_text
from roma_device.app.service.install import ServiceError
from roma_device.app.service.state import service_state
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.made_at import age_days
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.store import CalibrationStore

OLD_DAYS = 180
POOR_PX = 0.7
"""Epipolar residual from which depth suffers visibly; good rigs reach 0.3."""

LEAST_FREE_MIB, LEAST_FREE_SHARE = 500, 0.05
LEAST_MEMORY_MIB = 256
EARLIEST_YEAR = 2025


def check_calibration(machine: Machine) -> Iterator[CheckResult]:
    try:
        path = machine.settings.calibration or _stored()
        if path is None:
            if not machine.settings.rectified and machine.settings.camera is not None:
                fix = "calibrate the rig: roma-device calibrate"
                yield CheckResult("warn", "calibration", "the settings name none, and none is stored", fix)
            return
        rig = load_calibration(path)
    except CalibrationError as error:
        yield CheckResult(
            "fail", "calibration", str(error), "calibrate the rig, or name the right file in the settings"
        )
        return
    yield _verdict(path, rig)


def _stored() -> Path | None:
    """The version in use, which ``run`` takes where the settings name no file."""
    version = CalibrationStore().current()
    return None if version is None else version.path


def _verdict(path: Path, rig: StereoCalibration) -> CheckResult:
    days, residual_px = age_days(rig.made_at), rig.quality.get("epipolar_px")
    words = [f"{path}: baseline {1000 * rig.baseline_m:.1f} mm"]
    words.append("age unknown" if days is None else f"{days} days old")
    if verdict := rig.origin.get("verdict"):
        words.append(f"verdict {verdict}")
    if residual_px is not None:
        words.append(f"epipolar residual {residual_px:.2f} px")
    text = ", ".join(words)
    if verdict == "redo":
        return CheckResult("warn", "calibration", text, "its own report advises to calibrate again")
    if residual_px is not None and residual_px > POOR_PX:
        return CheckResult("warn", "calibration", text, f"over {POOR_PX} px depth suffers: calibrate again")
    if days is not None and days > OLD_DAYS:
        return CheckResult("warn", "calibration", text, "check it against a known distance, or calibrate again")
    return CheckResult("ok", "calibration", text)


def check_disk(machine: Machine) -> Iterator[CheckResult]:
    """Where something is written."""
    settings = machine.settings
    chosen = (Path("/var/lib/roma-device"), settings.output.folder, settings.record)
    places = {_existing(machine.root, path) for path in chosen if path is not None}
    for place in sorted(places):
        found = os.statvfs(place)
        free_mib = found.f_bavail * found.f_frsize // MIB
        short = free_mib < LEAST_FREE_MIB or found.f_bavail < LEAST_FREE_SHARE * found.f_blocks
        fix = "remove old recordings and results" if short else ""
        yield CheckResult("warn" if short else "ok", "disk", f"{place}: {free_mib} MiB free", fix)


def _existing(root: Path, path: Path) -> Path:
    """The folder in which ``path`` is, or would be made."""
    inside = root / str(path.absolute()).lstrip("/")
    return next(place for place in (inside, *inside.parents) if place.is_dir())


def check_memory(machine: Machine) -> Iterator[CheckResult]:
    for line in (read_text(machine.root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            free_mib = int(line.split()[1]) // 1024
            short = free_mib < LEAST_MEMORY_MIB
            fix = "end other programs, or give less memory to CMM" if short else ""
            yield CheckResult("warn" if short else "ok", "memory", f"{free_mib} MiB available", fix)


def check_clock(machine: Machine) -> Iterator[CheckResult]:
    """Frames are timed by the monotonic clock; the date matters for calibrations, recordings and logs."""
    year = time.gmtime().tm_year
    synchronized = (machine.root / "run/systemd/timesync/synchronized").exists()
    if year < EARLIEST_YEAR:
        yield CheckResult(
            "warn", "clock", f"it is {year}, the clock says", "set the clock: chrony or systemd-timesyncd"
        )
    else:
        yield CheckResult("ok", "clock", "synchronized" if synchronized else "plausible; not by systemd-timesyncd")


def check_service(machine: Machine) -> Iterator[CheckResult]:
    try:
        state = service_state(machine.root / "run/roma-device/status.json")
    except ServiceError as error:
        yield CheckResult("ok", "service", f"cannot be asked: {error}")
        return
    if state.exit_code == 0 and state.figures.get("problems"):
        yield CheckResult("warn", "service", state.as_text().splitlines()[-1], "see roma-device service logs")
    elif state.exit_code == 0:
        yield CheckResult("ok", "service", state.as_text().splitlines()[-1])
    elif state.exit_code == 4 or state.properties.get("Result") == "success":
        yield CheckResult("ok", "service", state.as_text().splitlines()[0])
    else:
        yield CheckResult(
            "fail", "service", state.as_text().splitlines()[-1], "mend the cause, then restart the service"
        )
