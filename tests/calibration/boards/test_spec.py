"""Boards by text and by file; every mistake is one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.charuco import CharucoBoard
from roma_device.calibration.errors import CalibrationError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "spec",
    [
        "chessboard:9x6:25mm",
        "charuco:8x6:30mm:22mm:5x5_1000",
        "charuco:8x6:30mm:22mm:4x4_50:legacy",
        "aprilgrid:6x6:88mm:0.3",
        "aprilgrid:6x6:88mm:0.3:border1",
        "circles:4x11:20mm",
        "squares:3x4:30mm:30mm",
    ],
)
def test_a_board_writes_itself_as_it_was_read(spec: str) -> None:
    assert parse_board(spec).spec == spec


@pytest.mark.parametrize("text", ["0.025m", "2.5cm", "25mm"])
def test_lengths_have_units(text: str) -> None:
    assert parse_board(f"chessboard:9x6:{text}").spec == "chessboard:9x6:25mm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chess", "unknown board"),
        ("chessboard", "not complete"),
        ("squares:3x4:30mm", "not complete"),
        ("squares:4x4:30mm:30mm", "cannot be told from a turned one"),
        ("chessboard:9x6:25", "unit"),
        ("chessboard:9by6:25mm", "COLUMNSxROWS"),
        ("chessboard:9x6:0mm", "unit"),
        ("chessboard:6x6:25mm", "same from its sides"),
        ("chessboard:2x1:25mm", "too little"),
        ("chessboard:99x98:25mm", "beyond"),
        ("charuco:8x6:30mm:40mm", "smaller"),
        ("charuco:8x6:30mm:22mm:9x9_7", "dictionary"),
        ("charuco:8x6:30mm:22mm:5x5_50:old", "layout"),
        ("aprilgrid:6x6:88mm:30mm", "gap between tags"),
        ("aprilgrid:6x6:88mm:0.3:border3", "border1 or border2"),
        ("no/such/board.yaml", "cannot read"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        parse_board(text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code in (os.EX_USAGE, os.EX_NOINPUT)


@given(st.text(alphabet="chessboardunigl:0123456789xm.", max_size=40))
def test_any_text_gives_a_board_or_one_sentence(text: str) -> None:
    try:
        board = parse_board(f"chessboard:{text}")
    except CalibrationError as error:
        assert "\n" not in str(error)
    else:
        assert parse_board(board.spec).spec == board.spec


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "boards").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_board_files_that_come_along_can_be_read(path: Path) -> None:
    assert len(parse_board(str(path)).points_m) > 20


def test_kalibr_target_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "april.yaml"
    file.write_text("target_type: 'aprilgrid'\ntagCols: 6\ntagRows: 6\ntagSize: 0.088\ntagSpacing: 0.3\n")
    assert parse_board(str(file)).spec == "aprilgrid:6x6:88mm:0.3"
    file.write_text(
        "target_type: 'checkerboard'\ntargetCols: 9\ntargetRows: 6\nrowSpacingMeters: 0.03\ncolSpacingMeters: 0.03\n"
    )
    assert parse_board(str(file)).spec == "chessboard:9x6:30mm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("type: chessboard\ncolumns: 9\nrows: 6\nsquare_mm: 25\ncolour: red\n", "colour is not a key"),
        ("type: chessboard\ncolumns: nine\nrows: 6\nsquare_mm: 25\n", "must be a number"),
        ("type: trampoline\n", "must be one of"),
        ("type: chessboard\ncolumns: 1e9\nrows: 6\nsquare_mm: 25\n", "COLUMNSxROWS|beyond"),
        ("- 1\n- 2\n", "keys and values"),
    ],
)
def test_absurd_files_are_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "board.yaml"
    file.write_text(text)
    with pytest.raises(CalibrationError, match=words) as caught:
        parse_board(str(file))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["charuco:8x6:30mm:22mm:5x5_100:from24", "charuco:8x6:30mm:22mm:5x5_100:legacy:from76"]
)
def test_a_charuco_board_of_a_set_has_another_first_number(text: str) -> None:
    board = parse_board(text)
    assert isinstance(board, CharucoBoard)
    assert board.spec == text
    picture = (board.artwork().picture((1000, 800), 1) * 255).astype(np.uint8)
    found = board.detect(picture)
    assert found is not None and len(found.ids) == 35
    other = parse_board(text.partition(":from")[0])
    assert other.detect(picture) is None
    assert f":from{board.first_id}" in other.diagnose(picture)


def test_a_first_number_beyond_the_dictionary_is_refused() -> None:
    with pytest.raises(CalibrationError, match="needs markers 90 to 113, but 5x5_100 has 100"):
        parse_board("charuco:8x6:30mm:22mm:5x5_100:from90")
