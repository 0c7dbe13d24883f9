"""What the commands of ``roma-device calibration`` do: stored versions, import and export."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import PAIRED, export_calibration, import_calibration
from roma_device.calibration.formats.own import read_own, save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.store import CalibrationStore, Version

from .console import refuse_existing


@dataclass(frozen=True, slots=True, eq=False)
class NamedCalibration:
    """A calibration and what the user calls it: its version or its file."""

    calibration: StereoCalibration
    name: str

    def as_json(self) -> dict[str, Any]:
        return {"from": self.name, **_facts(self.calibration)}

    def as_text(self) -> str:
        calibration = self.calibration
        lines = [f"{self.name}: {calibration.made_at or 'no date'}"]
        for side, camera in (("left", calibration.left), ("right", calibration.right)):
            coefficients = " ".join(f"{value:.5f}" for value in camera.distortion)
            lines.append(
                f"  {side:6} {camera.size} px, fx {camera.fx:.3f} fy {camera.fy:.3f} "
                f"cx {camera.cx:.3f} cy {camera.cy:.3f}, {camera.model} {coefficients}"
            )
        angles = [f"{angle * 57.29578:+.3f}" for angle in calibration.right_from_left.rotation_vector]
        lines.append(f"  baseline {calibration.baseline_m * 1000:.3f} mm, pitch yaw roll {' '.join(angles)} deg")
        lines += [f"  {key}: {value}" for key, value in calibration.origin.items()]
        lines += [f"  {key}: {value:.4g}" for key, value in calibration.quality.items()]
        if calibration.serial:
            lines.append(f"  serial: {calibration.serial}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class StoredVersions:
    """All versions of a store."""

    folder: Path
    rows: list[tuple[Version, StereoCalibration]]

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"version": version.number, "in_use": version.in_use, **_facts(calibration), "file": str(version.path)}
            for version, calibration in self.rows
        ]

    def as_text(self) -> str:
        if not self.rows:
            return f"no calibration is stored yet in {self.folder}; make one with roma-device calibrate"
        return "\n".join(_row(*row) for row in self.rows)


def _row(version: Version, calibration: StereoCalibration) -> str:
    origin = calibration.origin
    source = origin.get("board") or origin.get("from", "")
    return (
        f"{'*' if version.in_use else ' '} {version.number:4}  {calibration.made_at or '(no date)':25}  "
        f"{calibration.left.size} px  {calibration.baseline_m * 1000:7.2f} mm  "
        f"{origin.get('verdict', '-'):8} {source} {calibration.serial}"
    ).rstrip()


def stored_versions() -> StoredVersions:
    store = CalibrationStore()
    return StoredVersions(store.folder, [(version, read_own(version.path)) for version in store.versions()])


def rollback() -> str:
    version = CalibrationStore().rollback()
    return f"back at version {version.number}: {version.path}"


def import_files(
    paths: list[Path],
    format_name: str | None,
    size: Size | None,
    output: Path | None,
    *,
    swap: bool = False,
    unit: str | None = None,
    cameras: str | None = None,
    force: bool = False,
) -> str:
    if output is not None:
        refuse_existing(output, force)
    calibration = import_calibration(paths, format_name, size, swap=swap, unit=unit, cameras=cameras)
    source = " ".join(path.name for path in paths)
    calibration = replace(calibration, origin={**calibration.origin, "from": source})
    if output is not None:
        save_calibration(output, calibration)
        return f"written to {output}"
    version = CalibrationStore().add(calibration)
    return f"stored as version {version.number}; put it to use with: roma-device calibration use {version.number}"


def export(which: str | None, format_name: str, output: Path, force: bool) -> str:
    found = chosen(which)
    for path in [output / file for file in PAIRED["ros"]] if format_name == "ros" else [output]:
        refuse_existing(path, force)
    written = export_calibration(output, found.calibration, format_name)
    return f"{found.name} written to {' and '.join(str(path) for path in written)}"


def chosen(which: str | None) -> NamedCalibration:
    """The calibration that a version number or a path names, by default the one in use."""
    if which is not None and not which.isdecimal():
        return NamedCalibration(import_calibration([Path(which)]), which)
    store = CalibrationStore()
    version = store.current() if which is None else store.version(int(which))
    if version is None:
        raise CalibrationError(f"no stored calibration is in use in {store.folder}", exit_code=os.EX_NOINPUT)
    return NamedCalibration(version.load(), f"version {version.number}")


def _facts(calibration: StereoCalibration) -> dict[str, Any]:
    pose = calibration.right_from_left
    return {
        "made_at": calibration.made_at,
        "serial": calibration.serial,
        "baseline_m": calibration.baseline_m,
        "left": calibration.left.as_json(),
        "right": calibration.right.as_json(),
        "right_from_left": {"rotation": pose.rotation.tolist(), "translation_m": pose.translation_m.tolist()},
        "quality": dict(calibration.quality),
        "origin": dict(calibration.origin),
    }
