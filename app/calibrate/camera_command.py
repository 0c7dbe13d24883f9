"""``roma-device calibrate --mono``: one camera alone, from a folder of images."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from roma_device.app.cameras.file_pairs import find_images
from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.single import check_lens, save_camera
from roma_device.calibration.guided.coverage import look_at_board, spread_choice
from roma_device.calibration.guided.detection_gate import diagnosis, see_one
from roma_device.calibration.quality.camera_report import CameraReport, make_camera_report
from roma_device.calibration.quality.camera_text import camera_as_text
from roma_device.calibration.size import Size
from roma_device.calibration.solver.observations import SoloView
from roma_device.calibration.solver.outliers import DroppedView
from roma_device.calibration.solver.solve_camera import solve_camera

from .finish import EXIT_REDO, FinishChoice, write_report
from .from_images import MOST_VIEWS, by_size, grey_file
from .interruption import told_when_interrupted
from .progress import progress_shown


@dataclass(frozen=True, slots=True)
class Seen:
    """What the images show."""

    size: Size
    views: list[SoloView]
    refused: dict[str, str]  # name -> why
    skipped: list[str]  # names of good images beyond MOST_VIEWS


def calibrate_one_camera(folder: str, board_text: str, format_name: str, choice: FinishChoice) -> int:
    """Solve, print the report, save; returns the exit code. The store is for rigs: without output nothing is kept."""
    board = parse_board(board_text)
    choice.check()
    paths = find_images(folder)
    with told_when_interrupted():
        seen = _look(paths, folder, board)
        report = make_camera_report(solve_camera(seen.views, board, seen.size, choice.lens))
    check_lens(report.solution.camera, format_name)
    if choice.output is not None:
        save_camera(choice.output, report.solution.camera, format_name, _facts(report, choice))
    if choice.report is not None:
        _write_page(choice.report, report, seen, {path.name: path for path in paths})
    click.echo(json.dumps(_as_json(report, seen, choice)) if choice.as_json else _text(report, seen, choice))
    return EXIT_REDO if report.verdict == "redo" else 0


def _look(paths: list[Path], folder: str, board: Board) -> Seen:
    views, refused, size = list[SoloView](), dict[str, str](), None
    for number, path in enumerate(paths, start=1):
        image = grey_file(path)
        size = size or Size.of(image)
        if size != Size.of(image):
            found = by_size(Size.of(image))
            raise CalibrationError(f"{path} is {found}, but {paths[0]} is {by_size(size)}: one camera, one size")
        outcome = see_one(board, path.name, image)
        if isinstance(outcome, SoloView):
            views.append(outcome)
        else:
            refused[path.name] = outcome
        progress_shown(number, len(paths), "found" if isinstance(outcome, SoloView) else outcome)
    if size is None or not views:
        raise _nothing(folder, paths, board, refused)
    return _spread(Seen(size, views, refused, []), board)


def _nothing(folder: str, paths: list[Path], board: Board, refused: dict[str, str]) -> CalibrationError:
    reason, count = Counter(refused.values()).most_common(1)[0]
    tried = paths[:: max(1, len(paths) // 3)] if reason.startswith("no ") else []
    hint = next((found for path in tried if (found := diagnosis(board, grey_file(path)))), "")
    return CalibrationError(
        f"none of the {len(paths)} images in {folder} can be used; of {count} of them: {reason}{hint}"
    )


def _spread(seen: Seen, board: Board) -> Seen:
    if len(seen.views) <= MOST_VIEWS:
        return seen
    chosen = set(spread_choice([look_at_board(board, view.seen, seen.size) for view in seen.views], MOST_VIEWS))
    skipped = [view.name for index, view in enumerate(seen.views) if index not in chosen]
    return Seen(seen.size, [view for index, view in enumerate(seen.views) if index in chosen], seen.refused, skipped)


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


def _write_page(path: Path, report: CameraReport, seen: Seen, paths: dict[str, Path]) -> None:
    from roma_device.calibration.quality.camera_page import camera_page

    refused = [DroppedView(name, reason) for name, reason in seen.refused.items()]
    write_report(path, camera_page(report, refused, grey_file(paths[report.solution.views[0].name])))


def _as_json(report: CameraReport, seen: Seen, choice: FinishChoice) -> dict[str, Any]:
    refused = [{"name": name, "reason": reason} for name, reason in seen.refused.items()]
    saved = None if choice.output is None else {"file": str(choice.output)}
    return {**report.as_json(), "refused_images": refused, "skipped_images": seen.skipped, "saved": saved}


def _text(report: CameraReport, seen: Seen, choice: FinishChoice) -> str:
    parts = [camera_as_text(report)]
    if seen.refused:
        lines = [f"Images without a usable view: {len(seen.refused)}"]
        parts.append("\n".join([*lines, *(f"  {name}: {reason}" for name, reason in list(seen.refused.items())[:8])]))
    if seen.skipped:
        parts.append(f"{len(seen.skipped)} more images were left out: {len(seen.views)} that differ most suffice")
    parts.append("Not saved: give --output" if choice.output is None else f"Saved as {choice.output}")
    return "\n\n".join(parts)
