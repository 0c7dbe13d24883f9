"""Lists of pairs: images that would be turned are scored as stored, and one bad line does not spoil the rest."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.pose.datasets import load_pairs

K = "260 0 159.5 0 260 119.5 0 0 1"
POSE = "1 0 0 0.5 0 1 0 0.05 0 0 1 0.1 0 0 0 1"


def line(number: int, turns: str = "0 0") -> str:
    return f"a{number}.png b{number}.png {turns} {K} {K} {POSE}"


@pytest.mark.parametrize("turns", ["0 1", "3 0", "2 2", "1 3"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_turned_images_are_pairs_as_they_are_stored(tmp_path: Path, turns: str, mark: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes((mark + "\r\n".join([line(0), line(1, turns), line(2)])).encode())
    assert [pair.id for pair in load_pairs(path)] == ["a0.png b0.png", "a1.png b1.png", "a2.png b2.png"]


@pytest.mark.parametrize("bad", ["a.png b.png 0 0", line(9).replace("260", "x"), line(9).replace("260", "-1")])
def test_one_bad_line_is_left_out_and_many_are_refused(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join([*map(line, range(6)), bad, *map(line, range(6, 12))]))
    assert len(load_pairs(path)) == 12
    path.write_text("\n".join([*map(line, range(6)), bad, bad]))
    with pytest.raises(EvaluationError, match=r"pairs\.txt:7: "):
        load_pairs(path)


@pytest.mark.parametrize(
    "bad", [line(1)[:-1] + "2", line(1).replace("0.05", "nan"), line(1).replace("0.05", "inf"), "a1.png b1.png"]
)
def test_of_three_lines_one_may_be_bad_and_of_two_none(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join([line(0), bad, line(2)]))
    assert [pair.id for pair in load_pairs(path)] == ["a0.png b0.png", "a2.png b2.png"]
    path.write_text("\n".join([line(0), bad]))
    with pytest.raises(EvaluationError, match=r"pairs\.txt:2: "):
        load_pairs(path)


@pytest.mark.parametrize("size", [(640, 480), (160, 120)])
def test_a_matrix_for_twice_the_size_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    """The principal point of K lies outside of an image of half the size."""
    for name in ("a0.png", "b0.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros(size[::-1], np.uint8))
    (tmp_path / "pairs.txt").write_text(line(0))
    (pair,) = load_pairs(tmp_path / "pairs.txt")
    if size == (640, 480):
        assert pair.load()[0][1].size == size
    else:
        with pytest.raises(EvaluationError, match=r"principal point 159\.5,119\.5 px is outside of the 160x120 image"):
            pair.load()
