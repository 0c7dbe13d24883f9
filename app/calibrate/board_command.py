"""``roma-device calibrate board``: a calibration target to print."""

from __future__ import annotations

import os
from pathlib import Path

from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.printing import as_pdf, as_png, as_svg, sheet_of
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.storage.files import write_bytes

from .console import refuse_existing


def print_board(board_text: str, output: Path, dpi: int, force: bool) -> str:
    """Write the board to ``output``; returns what to tell the user. Raises CalibrationError."""
    board = parse_board(board_text)
    sheet = sheet_of(board)
    refuse_existing(output, force)
    ending = output.suffix.lower()
    if ending not in (".pdf", ".svg", ".png"):
        raise CalibrationError(f"{output}: its ending must be .pdf, .svg or .png", exit_code=os.EX_USAGE)
    try:
        data = {".pdf": as_pdf, ".svg": as_svg}[ending](sheet) if ending != ".png" else as_png(sheet, dpi)
    except ValueError as error:
        raise CalibrationError(str(error), exit_code=os.EX_USAGE) from None
    write_bytes(output, data)
    size = f"{sheet.size_mm[0]:g} x {sheet.size_mm[1]:g} mm"
    return (
        f"{output}: {sheet.paper or 'own size'}, {size}. Print at 100 %, glue it onto something flat, "
        f"measure the ruler, and calibrate with --board {board.spec}"
    )
