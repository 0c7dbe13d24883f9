"""Truth of the wrong sign or scale is refused, or the better scale is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.stereo.index import load_index
from roma_device.app.evaluate.stereo.truth_check import better_scale, truth_doubts, truth_problem

WIDTH, SHIFT = 200, 12
TEXTURE = np.random.default_rng(0).integers(0, 255, (80, WIDTH + SHIFT)).astype(np.uint8)
LEFT, RIGHT = TEXTURE[:, :WIDTH], TEXTURE[:, SHIFT:]
TRUTH = np.full((80, WIDTH), SHIFT, np.float32)
TRUTH[:, :SHIFT] = np.nan


def test_right_truth_is_not_doubted() -> None:
    assert truth_problem(TRUTH) == ""
    assert better_scale(TRUTH, LEFT, RIGHT) is None
    assert list(truth_doubts(TRUTH, LEFT, RIGHT)) == []


@pytest.mark.parametrize(
    ("factor", "words"), [(-1, "negative.*-12 px"), (256, "3072 px.*scale"), (64, "768 px"), (-256, "scale")]
)
def test_impossible_truth_is_refused_with_its_value(factor: float, words: str) -> None:
    import re

    assert re.search(words, truth_problem(TRUTH * factor))


@pytest.mark.parametrize(
    ("factor", "better"), [(1 / 256, 256), (1 / 16, 16), (1 / 4, 4), (8, 1 / 8), (2, 0.5), (1 / 200, 200)]
)
def test_possible_truth_that_does_not_fit_the_images_is_told(factor: float, better: float) -> None:
    assert better_scale(TRUTH * np.float32(factor), LEFT, RIGHT) == pytest.approx(better)


@pytest.mark.parametrize(("stored", "good"), [(SHIFT, True), (SHIFT * 256, False)])
def test_the_pair_is_named(tmp_path: Path, stored: int, good: bool) -> None:
    cv2.imwrite(str(tmp_path / "left.png"), LEFT)
    cv2.imwrite(str(tmp_path / "right.png"), RIGHT)
    cv2.imwrite(str(tmp_path / "truth.png"), np.full(LEFT.shape, stored, np.uint16))
    pair = {"id": "one", "left": "left.png", "right": "right.png", "disparity": "truth.png", "scale": 1}
    (tmp_path / "index.json").write_text("\ufeff" + json.dumps({"pairs": [{**pair, "invalid": "none"}]}))
    (loaded,) = load_index(tmp_path / "index.json")
    if good:
        loaded.load()
    else:
        with pytest.raises(EvaluationError, match=r"'one': disparity: 100 % of the truth is greater than the image"):
            loaded.load()


def test_truth_that_stands_on_its_head_is_told() -> None:
    """A wall that comes nearer from the first row to the last one."""
    shifts = np.linspace(2, 20, 80).round().astype(int)
    right = np.stack([np.roll(row, -shift) for row, shift in zip(LEFT, shifts, strict=True)])
    truth = np.repeat(shifts.astype(np.float32)[:, None], WIDTH, axis=1)
    assert list(truth_doubts(truth, LEFT, right)) == []
    assert "upside down" in next(truth_doubts(truth[::-1], LEFT, right))


def test_zeros_that_stand_for_unknown_are_told() -> None:
    """As KITTI's files have them; the index says that no value does."""
    holes = np.where(np.random.default_rng(1).random(TRUTH.shape) < 0.3, np.float32(0), TRUTH)
    assert '"invalid": 0' in next(truth_doubts(holes, LEFT, RIGHT))


def test_a_truth_without_a_known_pixel_is_refused() -> None:
    assert "no pixel of the truth is known" in truth_problem(TRUTH * np.nan)
