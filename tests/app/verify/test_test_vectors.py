"""The vendor's folder layout, and what a damaged folder is answered with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.verify.test_vectors import VectorError, VectorFolder, VectorWriter, file_name

INPUTS = {"left": np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3), "a/b:0": np.ones((2,), np.uint8)}
OUTPUTS = {"out": np.array([[1.5, np.nan]], np.float32)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    writer = VectorWriter(tmp_path / "vectors")
    writer.add(INPUTS, OUTPUTS)
    writer.add({name: array + 1 for name, array in INPUTS.items()}, OUTPUTS)
    return writer.finish().root


def test_names_are_those_of_the_vendors_tools() -> None:
    assert file_name("left") == "left.bin"
    assert file_name("/model/conv-1/out_0:0.5 ä") == "_model_conv-1_out_0_0_5__.bin"


def test_layout(root: Path) -> None:
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    sides = {f"{side}/{line}/{name}" for line in ("000000", "000001") for side, name in _sides()}
    assert files == {"list.txt", *sides}
    assert (root / "list.txt").read_text() == "000000\n000001\n"
    assert (root / "input/000000/left.bin").read_bytes() == INPUTS["left"].tobytes()


def _sides() -> list[tuple[str, str]]:
    return [("input", "left.bin"), ("input", "a_b_0.bin"), ("output", "out.bin")]


def test_round_trip(root: Path) -> None:
    folder = VectorFolder.open(root)
    read = {name: np.zeros_like(array) for name, array in INPUTS.items()}
    folder.read_inputs("000001", read)
    assert all(np.array_equal(read[name], array + 1) for name, array in INPUTS.items())
    assert np.array_equal(folder.read_outputs("000001", OUTPUTS)["out"], OUTPUTS["out"], equal_nan=True)


def test_fortran_order_is_written_in_c_order(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    writer = VectorWriter(tmp_path)
    writer.add({"x": array}, OUTPUTS)
    read = {"x": np.zeros((2, 3), np.float32)}
    writer.finish().read_inputs("000000", read)
    assert np.array_equal(read["x"], array)


def test_list_may_have_blank_lines_and_no_last_newline(root: Path) -> None:
    (root / "list.txt").write_text("\n000001 \r\n\n000000")
    assert VectorFolder.open(root).names == ("000001", "000000")


@pytest.mark.parametrize(
    ("damage", "code", "message"),
    [
        (lambda root: (root / "list.txt").unlink(), os.EX_NOINPUT, "list.txt: cannot read it"),
        (lambda root: (root / "list.txt").write_text(" \n"), os.EX_DATAERR, "the list is empty"),
        (lambda root: (root / "list.txt").write_bytes(b"\xff\xfe"), os.EX_DATAERR, "not a text file"),
        (lambda root: (root / "list.txt").write_text("nine"), os.EX_NOINPUT, "nine: no such folder"),
        (lambda root: (root / "input/000000/left.bin").unlink(), os.EX_NOINPUT, "left.bin: cannot read it"),
        (lambda root: (root / "input/000000/left.bin").write_bytes(b"12"), os.EX_DATAERR, "2 bytes, but 1x1x2x3"),
        (lambda root: (root / "input/000000/x1.bin").write_bytes(b""), os.EX_DATAERR, "no such tensor"),
    ],
)
def test_damage_is_one_sentence(root: Path, damage: Callable[[Path], object], code: int, message: str) -> None:
    damage(root)
    with pytest.raises(VectorError) as caught:
        folder = VectorFolder.open(root)
        folder.read_inputs(folder.names[0], {name: np.zeros_like(array) for name, array in INPUTS.items()})
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == code


def test_nothing_is_overwritten(root: Path) -> None:
    with pytest.raises(VectorError, match="new or empty folder") as caught:
        VectorWriter(root)
    assert caught.value.exit_code == os.EX_CANTCREAT


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VectorError, match="cannot write vectors") as caught:
        VectorWriter(tmp_path / "file" / "below").add(INPUTS, OUTPUTS)
    assert caught.value.exit_code == os.EX_CANTCREAT
