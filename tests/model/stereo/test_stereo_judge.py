from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.stereo.error_classes import Score, classes, inconsistent  # noqa: E402
from model.stereo.judged_file import read, write  # noqa: E402
from model.stereo.judged_pairs import drawn  # noqa: E402
from model.stereo.network import RowStereo, StereoConfig  # noqa: E402
from model.stereo.refinement import Refinement, RefinementConfig  # noqa: E402
from model.stereo.two_stage_matcher import TwoStageMatcher  # noqa: E402

SIZE = (96, 64)


def step_scene() -> tuple[np.ndarray, np.ndarray]:
    """10 px, and a block of 30 px that hides the 20 px to its left."""
    truth, hidden = np.full((64, 96), 10, np.float32), np.zeros((64, 96), bool)
    truth[:, 60:80] = 30
    hidden[:, 40:60] = True
    hidden[:, :10] = True
    return truth, hidden


def test_each_pixel_is_in_one_class() -> None:
    found = classes(*step_scene())
    assert (sum(mask.astype(int) for mask in found.values()) == 1).all()
    assert found["border"][:, :10].all() and found["border"].sum() == 64 * 10
    assert found["hidden"][:, 40:60].all() and found["edge"][:, 60:64].all() and found["surface"][:, 20:38].all()


def test_score_counts_by_class_and_size() -> None:
    truth, hidden = step_scene()
    found = truth.copy()
    found[:, :10] += 20
    found[:32, 20:30] += 1.5
    score = Score()
    score.add(found, np.where(found == truth, 1.0, 0.0).astype(np.float32), truth, hidden)
    figures = score.figures()
    assert figures["border bad2"] == pytest.approx(100 * 10 / 96, abs=0.01) and figures["surface bad2"] == 0
    assert figures["bad1"] == pytest.approx(100 * (10 * 64 + 320) / (96 * 64), abs=0.01)
    assert figures["1-2 px"] == pytest.approx(100 * 320 / (96 * 64), abs=0.01) and figures["8-inf px"] > 10
    assert figures["right of sure"] == 100


def test_bias_that_follows_the_phase_shows() -> None:
    truth = np.tile(np.linspace(8, 40, 96, dtype=np.float32), (64, 1))
    score = Score()
    score.add(truth + 0.2 * np.sin(2 * np.pi * truth / 4), None, truth, np.zeros(truth.shape, bool))
    assert 0.1 < score.phase_bias_px() < 0.25


def test_consistent_disparities_lead_back() -> None:
    left = np.full((4, 40), 5, np.float32)
    assert inconsistent(left, left, [1.0]) == {"off by 1": 0}
    assert inconsistent(left, left + 3, [1.0, 4.0]) == {"off by 1": 100, "off by 4": 0}


def test_frozen_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    pairs = list(drawn(None, 1, SIZE))
    write(iter(pairs), tmp_path / "set.npz")
    again = read(tmp_path / "set.npz")
    assert [pair.is_clean for pair in again] == [True, False]
    assert all(np.array_equal(a.left, b.left) for a, b in zip(pairs, again, strict=True))
    assert all(np.abs(a.disparity_px - b.disparity_px).max() < 0.01 for a, b in zip(pairs, again, strict=True))


def test_matcher_gives_a_value_for_every_pixel() -> None:
    torch.manual_seed(0)
    first = RowStereo(StereoConfig.load("stereo"))
    second = Refinement(RefinementConfig.load("stereo-refinement"))
    left, right = np.random.default_rng(0).integers(0, 256, (2, 50, 100), np.uint8)
    for passes in (0, 2):
        disparity_px, certainty = TwoStageMatcher("two", first, second, passes).match(left, right)
        assert disparity_px.shape == certainty.shape == (50, 100)
        assert np.isfinite(disparity_px).all() and 0 <= certainty.min() <= certainty.max() <= 1
