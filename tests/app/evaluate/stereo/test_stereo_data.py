"""The published figures of the baseline, on the real pairs they were measured on."""

from pathlib import Path

import pytest

from roma_device.app.evaluate.stereo.evaluate import SgbmMatcher, evaluate_stereo
from roma_device.app.evaluate.stereo.ground_truth import visible_in_right
from roma_device.app.evaluate.stereo.index import load_index

INDEX = Path(__file__).parents[5] / "shared" / "data" / "stereo.json"
FIGURES = {  # id -> bad-2, EPE in px
    "mb_venus": (0.0216, 0.37),
    "mb_cones": (0.1053, 1.68),
    "mb14_motorcycle_q": (0.0822, 1.26),
    "kitti12_000070": (0.0533, 0.71),
}

pytestmark = pytest.mark.skipif(not INDEX.exists(), reason=f"the real stereo pairs are not at {INDEX}")


@pytest.fixture(scope="module")
def pairs():
    return {pair.id: pair for pair in load_index(INDEX)}


def test_sgbm_on_single_pairs(pairs):
    report = evaluate_stereo([pairs[name] for name in FIGURES], SgbmMatcher())
    for score in report.ours.pairs:
        bad2, epe = FIGURES[score.id]
        assert score.everywhere.bad2 == pytest.approx(bad2, abs=0.003)
        assert score.everywhere.epe == pytest.approx(epe, abs=0.05)


@pytest.mark.slow
def test_sgbm_on_all_pairs(pairs):
    mean = evaluate_stereo(pairs.values(), SgbmMatcher()).ours.mean
    assert round(100 * mean.everywhere.bad2, 1) == 6.0
    assert round(mean.everywhere.epe, 2) == 1.19


@pytest.mark.parametrize("name", ["mb_cones", "mb_teddy", "mb_tsukuba"])
def test_occlusion_agrees_with_the_published_masks(pairs, name):
    loaded = pairs[name].load()
    known = loaded.disparity_px == loaded.disparity_px
    assert (visible_in_right(loaded.disparity_px) == loaded.nonocc)[known].mean() > 0.985
