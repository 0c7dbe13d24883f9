"""Printed sheet of a board: the page, a ruler to check the print, and the words beneath."""

from __future__ import annotations

from dataclasses import dataclass

from .artwork import Artwork, Disc, Polygon, Shape, rectangle
from .board import Board

PAPERS_MM = {"A4": (210, 297), "A3": (297, 420), "A2": (420, 594), "A1": (594, 841), "A0": (841, 1189)}
RULER_MM = 100
STRIP_MM = 16
"""Room for the ruler and the words below the board."""

MM = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A page with all that is on it; lengths in mm, x right and y down from its upper left corner."""

    size_mm: tuple[float, float]
    paper: str  # "A3 landscape", or "" where no paper fits
    shapes: tuple[Shape, ...]  # in mm
    texts: tuple[tuple[float, float, float, str], ...]  # x, y of the base line, height, text


def sheet_of(board: Board) -> Sheet:
    """The board in the middle of the smallest paper that takes it, with its ruler."""
    art = board.artwork()
    width, height = (length * MM for length in art.size_m)
    size, paper = _paper(width, height + STRIP_MM)
    left, top = (size[0] - width) / 2, (size[1] - height - STRIP_MM) / 2
    shapes = [_moved(shape, left, top) for shape in art.shapes]
    ruler_mm = min(RULER_MM, 10 * int((size[0] - 20) // 10))
    x, y = (size[0] - ruler_mm) / 2, top + height + 2
    shapes += _ruler(x, y, ruler_mm)
    words = (
        f"{board.spec}   this ruler is {ruler_mm} mm long: if it is not, print again at 100 % (no fitting to the page)"
    )
    text_mm = min(3.0, (size[0] - 10) / (0.5 * len(words)))
    return Sheet(size, paper, tuple(shapes), ((x + ruler_mm / 2, y + 10, text_mm, words),))


def _paper(width: float, height: float) -> tuple[tuple[float, float], str]:
    for name, (short, long) in PAPERS_MM.items():
        if width <= short and height <= long:
            return (short, long), f"{name} portrait"
        if width <= long and height <= short:
            return (long, short), f"{name} landscape"
    return (width, height), ""


def _moved(shape: Shape, left: float, top: float) -> Shape:
    if isinstance(shape, Disc):
        return Disc((shape.centre_m[0] * MM + left, shape.centre_m[1] * MM + top), shape.radius_m * MM)
    return Polygon(shape.corners_m * MM + [left, top], shape.black)


def _ruler(left: float, top: float, length: int) -> list[Shape]:
    """A line with ticks every 10 mm; its outer edges are the stated length apart."""
    shapes: list[Shape] = [rectangle(left, top + 2.8, length, 0.2)]
    for tick in range(0, length + 1, 10):
        thick = 0.2
        place = min(max(tick - thick / 2, 0), length - thick)
        shapes.append(
            rectangle(left + place, top if tick in (0, length) else top + 1.2, thick, 3 if tick in (0, length) else 1.8)
        )
    return shapes


def as_artwork(sheet: Sheet) -> Artwork:
    """The sheet without its words, in metres."""
    width, height = (length / MM for length in sheet.size_mm)
    shapes = tuple(
        Disc((shape.centre_m[0] / MM, shape.centre_m[1] / MM), shape.radius_m / MM)
        if isinstance(shape, Disc)
        else Polygon(shape.corners_m / MM, shape.black)
        for shape in sheet.shapes
    )
    return Artwork((width, height), (0.0, 0.0), shapes)
