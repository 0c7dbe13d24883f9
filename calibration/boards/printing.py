"""Printed sheet of a board, to scale: the page with its ruler and words, as PDF, SVG or PNG."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import cv2
import numpy as np

from .board import Artwork, Board, Disc, Polygon, Shape, rectangle

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


POINTS_PER_MM = 72 / 25.4
MOST_PNG_PX = 200_000_000
CIRCLE = 0.5522847498
"""Length of a cubic Bezier curve's handles that makes four of them a circle of radius 1."""


def as_svg(sheet: Sheet) -> bytes:
    """Vector graphics whose unit is 1 mm."""
    width, height = sheet.size_mm
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" shape-rendering="crispEdges">',
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
        *(_svg_shape(shape) for shape in sheet.shapes),
    ]
    for x, y, size, text in sheet.texts:
        style = f'font-family="Helvetica, Arial, sans-serif" font-size="{size:g}" text-anchor="middle"'
        parts.append(f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"]).encode("utf-8")


def _svg_shape(shape: Shape) -> str:
    if isinstance(shape, Disc):
        x, y = shape.centre_m
        return f'<circle cx="{x:.6g}" cy="{y:.6g}" r="{shape.radius_m:.6g}"/>'
    points = " ".join(f"{x:.6g},{y:.6g}" for x, y in shape.corners_m.tolist())
    return f'<polygon points="{points}" fill="{"black" if shape.black else "white"}"/>'


def as_pdf(sheet: Sheet) -> bytes:
    """One page of PDF 1.4, written by hand: filled paths and one line of text."""
    width, height = (length * POINTS_PER_MM for length in sheet.size_mm)
    scale = f"{POINTS_PER_MM:.8f}"
    drawing = [f"q {scale} 0 0 -{scale} 0 {height:.4f} cm", *(_pdf_shape(shape) for shape in sheet.shapes), "Q"]
    for x, y, size, text in sheet.texts:
        left = x - 0.25 * size * len(text)  # Helvetica's letters are half as wide as high, on average
        place = f"{left * POINTS_PER_MM:.2f} {height - y * POINTS_PER_MM:.2f}"
        clean = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        drawing.append(f"0 g BT /F1 {size * POINTS_PER_MM:.2f} Tf {place} Td ({clean}) Tj ET")
    stream = "\n".join(drawing).encode("ascii", "replace")
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.4f} {height:.4f}] /Contents 4 0 R "
    return _pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (page + "/Resources << /Font << /F1 5 0 R >> >> >>").encode("ascii"),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def _pdf(objects: list[bytes]) -> bytes:
    """Objects numbered from 1 on, with the table of where each starts."""
    data, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer


def _pdf_shape(shape: Shape) -> str:
    if isinstance(shape, Disc):
        return _pdf_circle(*shape.centre_m, shape.radius_m)
    first, *rest = shape.corners_m.tolist()
    lines = " ".join(f"{x:.5f} {y:.5f} l" for x, y in rest)
    return f"{0 if shape.black else 1} g {first[0]:.5f} {first[1]:.5f} m {lines} h f"


def _pdf_circle(x: float, y: float, radius: float) -> str:
    directions = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
    parts = [f"0 g {x + radius:.5f} {y:.5f} m"]
    for (ax, ay), (bx, by) in pairwise(directions):
        handles = (ax + CIRCLE * bx, ay + CIRCLE * by), (bx + CIRCLE * ax, by + CIRCLE * ay), (bx, by)
        parts.append(" ".join(f"{x + radius * hx:.5f} {y + radius * hy:.5f}" for hx, hy in handles) + " c")
    return " ".join([*parts, "h f"])


def as_png(sheet: Sheet, dpi: int) -> bytes:
    """A grey picture with its resolution noted, so that programs print it to scale. ValueError if it is too large."""
    width, height = (round(length / 25.4 * dpi) for length in sheet.size_mm)
    if width * height > MOST_PNG_PX:
        raise ValueError(f"at {dpi} dpi the picture would have {width}x{height} px: lower --dpi, or take a PDF")
    rough = as_artwork(sheet).picture((width, height), 1) * 255
    picture = np.round(rough).astype(np.uint8)
    for x, y, size, text in sheet.texts:
        height_px = size / 25.4 * dpi
        scale = height_px / 30
        text_px = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        place = round(x / 25.4 * dpi - text_px / 2), round(y / 25.4 * dpi)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, max(1, round(scale)), cv2.LINE_AA)
    data = cv2.imencode(".png", picture)[1].tobytes()
    return _with_resolution(data, round(dpi / 0.0254))


def _with_resolution(png: bytes, pixels_per_m: int) -> bytes:
    """The PNG with a pHYs chunk after its header (8 bytes of signature, 25 of IHDR)."""
    content = b"pHYs" + struct.pack(">IIB", pixels_per_m, pixels_per_m, 1)
    chunk = struct.pack(">I", 9) + content + struct.pack(">I", zlib.crc32(content))
    return png[:33] + chunk + png[33:]
