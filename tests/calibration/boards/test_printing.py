"""Printed boards are to scale, and can be found again."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.board import Disc
from roma_device.calibration.boards.printing import as_pdf, as_png, as_svg, sheet_of

SPECS = ["chessboard:9x6:25mm", "charuco:8x6:30mm:22mm", "aprilgrid:6x6:30mm:0.3", "circles:4x11:20mm"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_png_shows_the_board_at_its_resolution(spec: str) -> None:
    dpi = 100
    board = parse_board(spec)
    image = cv2.imdecode(np.frombuffer(as_png(sheet_of(board), dpi), np.uint8), cv2.IMREAD_GRAYSCALE)
    detection = board.detect(image)
    assert detection is not None
    points, pixels = board.points_m[detection.ids][:, :2], detection.pixels
    ratio = np.linalg.norm(pixels[-1] - pixels[0]) / np.linalg.norm(points[-1] - points[0])
    assert ratio == pytest.approx(dpi / 0.0254, rel=2e-3)
    assert b"pHYs" in as_png(sheet_of(board), dpi)


@pytest.mark.parametrize("spec", SPECS)
def test_vector_files_have_the_size_of_their_paper(spec: str) -> None:
    sheet = sheet_of(parse_board(spec))
    width, height = sheet.size_mm
    assert f'width="{width:g}mm" height="{height:g}mm"' in as_svg(sheet).decode()
    box = re.search(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", as_pdf(sheet))
    assert box is not None
    assert [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx([width, height], abs=0.01)


def test_a_pdf_names_where_its_objects_are() -> None:
    data = as_pdf(sheet_of(parse_board("circles:4x11:20mm")))
    table = int(re.search(rb"startxref\n(\d+)", data).group(1))  # type: ignore[union-attr]
    assert data[table:].startswith(b"xref")
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n", data), start=1):
        assert data[int(offset) :].startswith(b"%d 0 obj" % number)


def test_the_ruler_is_as_long_as_it_says() -> None:
    sheet = sheet_of(parse_board("chessboard:9x6:25mm"))
    line = max(
        (shape for shape in sheet.shapes if not isinstance(shape, Disc) and np.ptp(shape.corners_m[:, 1]) < 0.3),
        key=lambda shape: np.ptp(shape.corners_m[:, 0]),
    )
    assert not isinstance(line, Disc)
    assert np.ptp(line.corners_m[:, 0]) == pytest.approx(100)
    assert "100 mm" in sheet.texts[0][3]
