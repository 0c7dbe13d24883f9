"""From views to files: solve, report, save."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from loguru import logger

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.quality.report import QualityReport, finished_calibration, make_report
from roma_device.calibration.quality.text import as_text
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.outliers import DroppedView
from roma_device.calibration.solver.solve_stereo import solve_rig
from roma_device.calibration.storage.atomic_write import write_atomic, write_exit_code
from roma_device.calibration.store import CalibrationStore

from .from_images import Sightings
from .interruption import told_when_interrupted
from .no_overwrite import refuse_existing

EXIT_REDO = 1


@dataclass(frozen=True, slots=True)
class FinishChoice:
    """Where results go, and what is known of the rig."""

    lens: str = "auto"
    output: Path | None = None  # None: the store of versions
    report: Path | None = None
    force: bool = False
    as_json: bool = False
    baseline_m: float | None = None
    serial: str = ""
    temperature_c: float | None = None
    kept: str = ""  # what is there to go on with after an interruption: a clause

    def check(self) -> None:
        """Refuse before the work what could not be written after it; raises CalibrationError."""
        for path in (self.output, self.report):
            if path is None:
                continue
            refuse_existing(path, self.force)
            if not path.parent.is_dir():
                raise CalibrationError(f"the folder of {path} does not exist", exit_code=os.EX_CANTCREAT)


def finish(
    sightings: Sightings, board: Board, choice: FinishChoice, example: tuple[GreyImage, GreyImage] | None = None
) -> int:
    """Solve, print the report, save; returns the exit code. ``example`` is a pair to show rectified."""
    with told_when_interrupted(choice.kept):
        logger.info("solving {} pairs", len(sightings.views))
        report = make_report(solve_rig(sightings.views, board, sightings.size, choice.lens), choice.baseline_m)
    calibration = finished_calibration(report, choice.serial, choice.temperature_c)
    saved = _save(calibration, report, choice)
    if choice.report is not None:
        from roma_device.calibration.quality.page import report_page

        without_view = [DroppedView(name, reason) for name, reason in sightings.refused.items()]
        write_report(choice.report, report_page(report, without_view, example))
    if choice.as_json:
        click.echo(json.dumps({**report.as_json(), **_sightings_json(sightings), "saved": saved}))
    else:
        click.echo(_text(report, sightings, saved))
    return EXIT_REDO if report.verdict == "redo" else 0


def _save(calibration: StereoCalibration, report: QualityReport, choice: FinishChoice) -> dict[str, Any]:
    if choice.output is not None:
        save_calibration(choice.output, calibration)
        return {"file": str(choice.output)}
    store = CalibrationStore()
    version = store.add(calibration)
    if report.verdict != "redo":
        version = store.use(version.number)
    return {"file": str(version.path), "version": version.number, "in_use": version.in_use}


def _text(report: QualityReport, sightings: Sightings, saved: Mapping[str, Any]) -> str:
    parts = [as_text(report)]
    if sightings.refused:
        lines = [f"Pairs without a usable view: {len(sightings.refused)}"]
        lines += [f"  {name}: {reason}" for name, reason in list(sightings.refused.items())[:8]]
        parts.append("\n".join(lines))
    if sightings.skipped:
        parts.append(
            f"{len(sightings.skipped)} more pairs were left out: {len(sightings.views)} that differ most suffice"
        )
    if "version" not in saved:
        parts.append(f"Saved as {saved['file']}")
    elif saved["in_use"]:
        parts.append(f"Saved as version {saved['version']} and put to use: {saved['file']}")
    else:
        use = f"roma-device calibration use {saved['version']}"
        parts.append(f"Saved as version {saved['version']}, not put to use ({use} would): {saved['file']}")
    return "\n\n".join(parts)


def _sightings_json(sightings: Sightings) -> dict[str, Any]:
    refused = [{"name": name, "reason": reason} for name, reason in sightings.refused.items()]
    return {"refused_pairs": refused, "skipped_pairs": sightings.skipped}


def write_report(path: Path, page: str) -> None:
    """Write the HTML ``page``; raises CalibrationError."""
    try:
        write_atomic(path, page.encode("utf-8"))
    except OSError as error:
        message = f"cannot write the report {path}: {error.strerror}"
        raise CalibrationError(message, exit_code=write_exit_code(error)) from error
    logger.info("report written to {}", path)
