"""Bundle adjustment of a rig or of one camera from observations of the board; the result is saved and reported."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.formats.single import check_lens, save_camera
from roma_device.calibration.quality.camera_report import CameraReport, make_camera_report
from roma_device.calibration.quality.report import QualityReport, finished_calibration, make_report
from roma_device.calibration.quality.text import as_text, camera_as_text
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.solver.outliers import DroppedView
from roma_device.calibration.solver.solve import solve_camera, solve_rig
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.store import TAKEN_WITH, CalibrationStore

from .console import refuse_existing, told_when_interrupted
from .observations import Observations, grey_file, image_observations, pair_observations

EXIT_REDO = 1


@dataclass(frozen=True, slots=True)
class FinishChoice:
    """Where results go, and what is known of the rig."""

    lens: str = "auto"
    output: Path | None = None  # None: the store of versions, which is for rigs: a single camera is not kept
    report: Path | None = None
    force: bool = False
    baseline_m: float | None = None
    serial: str = ""
    camera: str = ""  # that took the pairs, as run names it
    temperature_c: float | None = None
    kept: str = ""  # what is there to go on with after an interruption: a clause

    def facts(self, made_at: str) -> dict[str, str]:
        """What of and when, for people; "" where it is not known."""
        degrees = "" if self.temperature_c is None else f"{self.temperature_c:g} \N{DEGREE SIGN}C"
        return {"calibrated at": made_at, "serial": self.serial, "camera": self.camera, "temperature": degrees}

    def check(self) -> None:
        """Refuse before the work what could not be written after it; raises CalibrationError."""
        for path in (self.output, self.report):
            if path is None:
                continue
            refuse_existing(path, self.force)
            if not path.parent.is_dir():
                raise CalibrationError(f"the folder of {path} does not exist", exit_code=os.EX_CANTCREAT)


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What a calibration found and where it was saved."""

    report: QualityReport | CameraReport
    text: str  # the report's
    seen: Observations[Any]
    saved: dict[str, Any] | None  # None: nowhere

    @property
    def exit_code(self) -> int:
        return EXIT_REDO if self.report.verdict == "redo" else os.EX_OK

    def as_json(self) -> dict[str, Any]:
        refused = [{"name": name, "reason": reason} for name, reason in self.seen.refused.items()]
        what = self.seen.what
        seen = {f"refused_{what}s": refused, f"skipped_{what}s": self.seen.skipped}
        return {**self.report.as_json(), **seen, "saved": self.saved}

    def as_text(self) -> str:
        parts, seen = [self.text], self.seen
        if seen.refused:
            lines = [f"{seen.what.capitalize()}s without a usable view: {len(seen.refused)}"]
            lines += [f"  {name}: {reason}" for name, reason in list(seen.refused.items())[:8]]
            parts.append("\n".join(lines))
        if seen.skipped:
            left_out = f"{len(seen.skipped)} more {seen.what}s were left out"
            parts.append(f"{left_out}: {len(seen.views)} that differ most suffice")
        return "\n\n".join([*parts, self._saved_text()])

    def _saved_text(self) -> str:
        if self.saved is None:
            return "Not saved: give --output"
        file, version = self.saved["file"], self.saved.get("version")
        if version is None:
            return f"Saved as {file}"
        use = "put to use" if self.saved["in_use"] else f"not put to use (roma-device calibration use {version} would)"
        return f"Saved as version {version}{' and' if self.saved['in_use'] else ','} {use}: {file}"


def calibrate_images(folder: str, board_text: str, swap: bool, choice: FinishChoice) -> Calibrated:
    """Calibrate a rig from the pairs in ``folder``."""
    board = parse_board(board_text)
    choice.check()
    with told_when_interrupted():
        seen = pair_observations(folder, board, swap)
    example = None
    if choice.report is not None:
        left, right = (grey_file(path) for path in seen.files[seen.views[0].name])
        example = (right, left) if swap else (left, right)
    return finish(seen, board, choice, example)


def finish(
    seen: Observations[PairView],
    board: Board,
    choice: FinishChoice,
    example: tuple[GreyImage, GreyImage] | None = None,
) -> Calibrated:
    """Solve, save and report what pairs showed; ``example`` is a pair to show rectified."""
    with told_when_interrupted(choice.kept):
        logger.info("solving {} pairs", len(seen.views))
        report = make_report(solve_rig(seen.views, board, seen.size, choice.lens), choice.baseline_m)
    calibration = finished_calibration(report, choice.serial, choice.temperature_c)
    if choice.camera:
        calibration = replace(calibration, origin={**calibration.origin, TAKEN_WITH: choice.camera})
    saved = _save(calibration, report, choice)
    if choice.report is not None:
        from roma_device.calibration.quality.page import report_page

        facts = choice.facts(calibration.made_at)
        _write_page(choice.report, report_page(report, _without_view(seen), example, facts))
    return Calibrated(report, as_text(report), seen, saved)


def _save(calibration: StereoCalibration, report: QualityReport, choice: FinishChoice) -> dict[str, Any]:
    if choice.output is not None:
        save_calibration(choice.output, calibration)
        return {"file": str(choice.output)}
    store = CalibrationStore()
    version = store.add(calibration)
    if report.verdict != "redo":
        version = store.use(version.number)
    return {"file": str(version.path), "version": version.number, "in_use": version.in_use}


def calibrate_one_camera(folder: str, board_text: str, format_name: str, choice: FinishChoice) -> Calibrated:
    """Calibrate a single camera from the images in ``folder``."""
    board = parse_board(board_text)
    choice.check()
    with told_when_interrupted():
        seen = image_observations(folder, board)
        report = make_camera_report(solve_camera(seen.views, board, seen.size, choice.lens))
    check_lens(report.solution.camera, format_name)
    facts = _facts(report, choice)
    if choice.output is not None:
        save_camera(choice.output, report.solution.camera, format_name, facts)
    if choice.report is not None:
        from roma_device.calibration.quality.page import camera_page

        example = grey_file(seen.files[report.solution.views[0].name][0])
        _write_page(choice.report, camera_page(report, _without_view(seen), example, choice.facts(facts["made_at"])))
    saved = None if choice.output is None else {"file": str(choice.output)}
    return Calibrated(report, camera_as_text(report), seen, saved)


def _facts(report: CameraReport, choice: FinishChoice) -> dict[str, str]:
    """What is worth keeping beside the numbers."""
    facts = {
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "board": report.solution.board.spec,
        "images": str(len(report.solution.views)),
        "rms_px": f"{report.solution.rms_px():.4f}",
        "verdict": report.verdict,
    }
    if choice.serial:
        facts["serial"] = " ".join(choice.serial.split())
    if choice.temperature_c is not None:
        facts["temperature_c"] = f"{choice.temperature_c:g}"
    return facts


def _without_view(seen: Observations[Any]) -> list[DroppedView]:
    return [DroppedView(name, reason) for name, reason in seen.refused.items()]


def _write_page(path: Path, page: str) -> None:
    write_text(path, page, "report")
    logger.info("report written to {}", path)
