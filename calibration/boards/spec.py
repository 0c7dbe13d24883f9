"""Boards by name: ``chessboard:9x6:25mm`` and the like, or a YAML file."""

from __future__ import annotations

import re
from pathlib import Path

from roma_device.calibration.errors import CalibrationError, usage
from roma_device.calibration.storage.yaml_section import Section, read_section

from .aprilgrid import KALIBR_BORDER_BITS, AprilGrid
from .board import Board
from .charuco import CharucoBoard
from .chessboard import Chessboard
from .circles import CircleGrid
from .dictionaries import DEFAULT, plain_name
from .squares import SquareGrid

EXAMPLES = {
    "chessboard": "chessboard:9x6:25mm (inner corners, square)",
    "charuco": "charuco:8x6:30mm:22mm:5x5_1000 (squares, square, marker, dictionary)",
    "aprilgrid": "aprilgrid:6x6:88mm:0.3 (tags, tag, gap over tag)",
    "circles": "circles:4x11:20mm (circles, half their distance in a row)",
    "squares": "squares:3x4:30mm:30mm (black squares, square, gap)",
}
LENGTHS = {
    "charuco": ["square_mm", "marker_mm"],
    "aprilgrid": ["tag_mm"],
    "circles": ["spacing_mm"],
    "squares": ["square_mm", "gap_mm"],
}
"""Keys of a board file that hold a length, square_mm alone where nothing is said."""

PARTS = {"chessboard": (2, 2), "charuco": (3, 5), "aprilgrid": (3, 4), "circles": (2, 2), "squares": (3, 3)}
"""How many words, at least and at most, come after the kind."""

LAYOUTS = {"new": False, "legacy": True}
_UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
_LENGTH = re.compile(r"^(\d+(?:\.\d+)?)\s*(mm|cm|m)$")
_GRID = re.compile(r"^(\d+)x(\d+)$")
MOST_CELLS = 50


def parse_board(text: str) -> Board:
    """The board that a text such as ``chessboard:9x6:25mm``, or a YAML file, describes; raises CalibrationError."""
    kind, _, rest = text.partition(":")
    if kind in EXAMPLES:
        return _from_parts(kind, rest.split(":") if rest else [], text)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        return load_board(Path(text))
    raise usage(f"unknown board {text!r}: write one of {'; '.join(EXAMPLES.values())}; or the name of a YAML file")


def load_board(path: Path) -> Board:
    """A board file: our keys, or those of Kalibr's target files (target_type, tagCols...)."""
    section = read_section(path, "board", CalibrationError)
    try:
        board = _kalibr(section) if "target_type" in section.untaken() else parse_board(_spec_of(section))
    except CalibrationError as error:
        raise error if str(error).startswith(str(path)) else CalibrationError(f"{path}: {error}") from None
    section.finish()
    return board


def _spec_of(section: Section) -> str:
    kind = section.choice("type", tuple(EXAMPLES))
    parts = [kind, f"{section.number('columns'):g}x{section.number('rows'):g}"]
    for key in LENGTHS.get(kind, ["square_mm"]):
        parts.append(f"{section.number(key):.10g}mm")
    if kind == "charuco":
        parts += [section.text("dictionary", DEFAULT), *([layout] if (layout := section.text("layout", "")) else [])]
    if kind == "aprilgrid":
        parts += [f"{section.number('spacing'):g}", f"border{section.number('border_bits', KALIBR_BORDER_BITS):g}"]
    return ":".join(parts)


def _kalibr(section: Section) -> Board:
    kind = section.choice("target_type", ("aprilgrid", "checkerboard"))
    if kind == "aprilgrid":
        columns, rows = (int(section.number(key)) for key in ("tagCols", "tagRows"))
        return _checked(AprilGrid(columns, rows, section.number("tagSize"), section.number("tagSpacing")))
    columns, rows = (int(section.number(key)) for key in ("targetCols", "targetRows"))
    square_m, other_m = (section.number(key) for key in ("colSpacingMeters", "rowSpacingMeters"))
    if square_m != other_m:
        raise CalibrationError("colSpacingMeters and rowSpacingMeters differ: only squares are supported")
    return _checked(Chessboard(columns, rows, square_m))


def _from_parts(kind: str, parts: list[str], text: str) -> Board:
    least, most = PARTS[kind]
    if not least <= len(parts) <= most:
        raise usage(f"board {text!r} is not complete: write it as {EXAMPLES[kind]}")
    columns, rows = _grid(parts[0], text)
    size_m = _length(parts[1], text)
    if kind == "chessboard":
        return _checked(Chessboard(columns, rows, size_m))
    if kind == "circles":
        return _checked(CircleGrid(columns, rows, size_m))
    if kind == "squares":
        return _checked(SquareGrid(columns, rows, size_m, _length(parts[2], text)))
    if kind == "aprilgrid":
        return _checked(AprilGrid(columns, rows, size_m, _ratio(parts[2], text), _border(parts[3:], text)))
    name = plain_name(parts[3]) if len(parts) > 3 else DEFAULT
    legacy = _layout(parts[4], text) if len(parts) > 4 else None
    return _checked(CharucoBoard(columns, rows, size_m, _length(parts[2], text), name, legacy))


def _checked(board: Board) -> Board:
    """Refuse boards that cannot be told upright from turned, or that hold too little."""
    columns, rows = (getattr(board, key) for key in ("columns", "rows"))
    if isinstance(board, Chessboard) and columns == rows:
        raise usage(f"a chessboard of {columns}x{rows} looks the same from its sides: take one more column than rows")
    if isinstance(board, SquareGrid) and (columns == rows or min(columns, rows) < 2):
        raise usage(f"a grid of {columns}x{rows} squares cannot be told from a turned one: take one of 3x4 or more")
    if isinstance(board, Chessboard | CharucoBoard) and min(columns, rows) < 3:
        raise usage(f"a board of {columns}x{rows} holds too little: take at least 3 in each direction")
    if isinstance(board, CharucoBoard) and board.marker_m >= board.square_m:
        raise usage("the markers of a ChArUco board must be smaller than its squares")
    if max(columns, rows) > MOST_CELLS or len(board.points_m) < 6:
        raise usage(f"a board of {columns}x{rows} is beyond what can be printed and found")
    return board


def _grid(text: str, whole: str) -> tuple[int, int]:
    match = _GRID.match(text)
    if not match:
        raise usage(f"board {whole!r}: {text!r} is not COLUMNSxROWS, such as 9x6")
    return int(match[1]), int(match[2])


def _length(text: str, whole: str) -> float:
    match = _LENGTH.match(text)
    if not match or float(match[1]) == 0:
        raise usage(f"board {whole!r}: {text!r} is not a length with its unit, such as 25mm")
    return float(match[1]) * _UNITS[match[2]]


def _ratio(text: str, whole: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 0.05 <= ratio <= 2:
        raise usage(f"board {whole!r}: {text!r} is not the gap between tags over their side, such as 0.3")
    return ratio


def _border(parts: list[str], whole: str) -> int:
    if not parts:
        return KALIBR_BORDER_BITS
    if parts[0] not in ("border1", "border2"):
        raise usage(f"board {whole!r}: {parts[0]!r} is not border1 or border2")
    return int(parts[0][-1])


def _layout(text: str, whole: str) -> bool:
    if text not in LAYOUTS:
        raise usage(f"board {whole!r}: {text!r} is not a layout: new or legacy")
    return LAYOUTS[text]
