"""What the commands of ``roma-device calibration`` do: each returns the text to print."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import PAIRED, export_calibration, import_calibration
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.store import CalibrationStore

from .no_overwrite import refuse_existing


def list_versions(as_json: bool) -> str:
    store = CalibrationStore()
    rows = [(version, version.load()) for version in store.versions()]
    if as_json:
        return json.dumps(
            [{"version": v.number, "in_use": v.in_use, **_facts(c), "file": str(v.path)} for v, c in rows]
        )
    if not rows:
        return f"no calibration is stored yet in {store.folder}; make one with roma-device calibrate"
    return "\n".join(
        f"{'*' if version.in_use else ' '} {version.number:4}  {one.made_at or '(no date)':25}  "
        f"{one.left.size[0]}x{one.left.size[1]} px  {one.baseline_m * 1000:7.2f} mm  "
        f"{one.origin.get('verdict', '-'):8} {_source(one)} {one.serial}".rstrip()
        for version, one in rows
    )


def _source(calibration: StereoCalibration) -> str:
    return calibration.origin.get("board") or calibration.origin.get("from", "")


def show(which: str | None, as_json: bool) -> str:
    calibration, name = chosen(which)
    if as_json:
        return json.dumps({"from": name, **_facts(calibration)})
    lines = [f"{name}: {calibration.made_at or 'no date'}"]
    for side, camera in (("left", calibration.left), ("right", calibration.right)):
        lines.append(
            f"  {side:6} {camera.size[0]}x{camera.size[1]} px, fx {camera.fx:.3f} fy {camera.fy:.3f} "
            f"cx {camera.cx:.3f} cy {camera.cy:.3f}, {camera.model} {' '.join(f'{c:.5f}' for c in camera.distortion)}"
        )
    angles = [f"{angle * 57.29578:+.3f}" for angle in calibration.right_from_left.rotation_vector]
    lines.append(f"  baseline {calibration.baseline_m * 1000:.3f} mm, pitch yaw roll {' '.join(angles)} deg")
    lines += [f"  {key}: {value}" for key, value in calibration.origin.items()]
    lines += [f"  {key}: {value:.4g}" for key, value in calibration.quality.items()]
    if calibration.serial:
        lines.append(f"  serial: {calibration.serial}")
    return "\n".join(lines)


def use(number: int) -> str:
    version = CalibrationStore().use(number)
    return f"version {number} is in use: {version.path}"


def rollback() -> str:
    version = CalibrationStore().rollback()
    return f"back at version {version.number}: {version.path}"


def import_files(paths: list[Path], format_name: str | None, size: str | None, output: Path | None) -> str:
    calibration = import_calibration(paths, format_name, None if size is None else _size(size))
    source = " ".join(path.name for path in paths)
    calibration = replace(calibration, origin={**calibration.origin, "from": source})
    if output is not None:
        refuse_existing(output, force=False)
        save_calibration(output, calibration)
        return f"written to {output}"
    version = CalibrationStore().add(calibration)
    return f"stored as version {version.number}; put it to use with: roma-device calibration use {version.number}"


def export(which: str | None, format_name: str, output: Path, force: bool) -> str:
    calibration, name = chosen(which)
    for path in [output / file for file in PAIRED["ros"]] if format_name == "ros" else [output]:
        refuse_existing(path, force)
    written = export_calibration(output, calibration, format_name)
    return f"{name} written to {' and '.join(str(path) for path in written)}"


def chosen(which: str | None) -> tuple[StereoCalibration, str]:
    """The calibration that a version number or a path names, by default the one in use, and its name."""
    if which is not None and not which.isdecimal():
        return import_calibration([Path(which)]), which
    store = CalibrationStore()
    version = store.current() if which is None else store.version(int(which))
    if version is None:
        raise CalibrationError(f"no stored calibration is in use in {store.folder}", exit_code=os.EX_NOINPUT)
    return version.load(), f"version {version.number}"


def _facts(calibration: StereoCalibration) -> dict[str, Any]:
    cameras = {
        side: {
            "size": list(camera.size),
            "matrix": camera.matrix.tolist(),
            "model": camera.model,
            "distortion": camera.distortion.tolist(),
        }
        for side, camera in (("left", calibration.left), ("right", calibration.right))
    }
    pose = calibration.right_from_left
    return {
        "made_at": calibration.made_at,
        "serial": calibration.serial,
        "baseline_m": calibration.baseline_m,
        **cameras,
        "right_from_left": {"rotation": pose.rotation.tolist(), "translation_m": pose.translation_m.tolist()},
        "quality": dict(calibration.quality),
        "origin": dict(calibration.origin),
    }


def _size(text: str) -> Size:
    width, cross, height = text.partition("x")
    if not cross or not (width.isdecimal() and height.isdecimal()) or "0" in (width, height):
        raise CalibrationError(f"--size {text} is not WIDTHxHEIGHT, such as 640x480", exit_code=os.EX_USAGE)
    return Size(int(width), int(height))
