import json
import os

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.stereo.evaluate import evaluate_stereo
from roma_device.app.evaluate.stereo.index import StereoPair

WIDTH_PX, HEIGHT_PX, TRUE_PX = 20, 10, 4
JSON_KEYS = {"bad1", "bad2", "bad3", "epe", "d1", "density", "cpu_ms", "nonocc"}


class Constant:
    """Answers the same disparity everywhere, but is off by 10 px in the left half of the image."""

    def __init__(self, name, disparity_px, certain=False):
        self.name, self.disparity_px, self.certain = name, disparity_px, certain
        self.shapes, self.prepared = [], []

    def prepare(self, size):
        self.prepared.append(size)

    def match(self, left, right):
        self.shapes.append((left.shape, right.shape))
        disparity = np.full(left.shape, self.disparity_px, np.float32)
        disparity[:, : left.shape[1] // 2] += 10
        certainty = np.linspace(0, 1, left.shape[1], dtype=np.float32)
        return disparity, np.tile(certainty, (left.shape[0], 1)) if self.certain else None


@pytest.fixture
def pairs(tmp_path):
    """Two pairs of one flat surface: the truth of the first is dense, that of the second sparse."""
    cv2.imwrite(str(tmp_path / "image.png"), np.full((HEIGHT_PX, WIDTH_PX), 9, np.uint8))
    dense = np.full((HEIGHT_PX, WIDTH_PX), TRUE_PX, np.uint8)
    sparse = dense * (np.arange(WIDTH_PX) >= WIDTH_PX // 2).astype(np.uint8)
    for name, truth in (("dense", dense), ("sparse", sparse)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), truth)
    image = tmp_path / "image.png"
    return [
        StereoPair(tmp_path / "i.json", name, image, image, tmp_path / f"{name}.png", 1, 0)
        for name in ("dense", "sparse")
    ]


def report(pairs, **options):
    return evaluate_stereo(pairs, Constant("ours", 2 * TRUE_PX, certain=True), width_px=2 * WIDTH_PX, **options)


def test_figures_per_pair_and_mean(pairs):
    result = report(pairs).as_json()
    assert [pair["id"] for pair in result["pairs"]] == ["dense", "sparse"]
    assert [pair["bad2"] for pair in result["pairs"]] == [0.5, 0]
    assert [pair["epe"] for pair in result["pairs"]] == [5, 0]
    assert (result["mean"]["bad2"], result["mean"]["epe"]) == (0.25, 2.5)
    assert (result["matcher"], result["width_px"]) == ("ours", 2 * WIDTH_PX)


def test_matchers_see_the_pair_at_the_width_of_the_protocol(pairs):
    matcher = Constant("ours", 0)
    evaluate_stereo(pairs, matcher, width_px=50)
    assert matcher.shapes == [((25, 50), (25, 50))] * 2
    assert matcher.prepared == [(50, 25)] * 2


def test_the_width_is_640_px_unless_stated(pairs):
    assert evaluate_stereo(pairs, Constant("ours", 0)).as_json()["width_px"] == 640


def test_nonocc_leaves_out_what_only_one_camera_sees(pairs):
    result = report(pairs).as_json()
    # 4 px of disparity hide as many columns of 20 at the left edge, all of them wrong.
    assert result["pairs"][0]["nonocc"]["bad2"] == pytest.approx(6 / 16)
    assert result["pairs"][1]["nonocc"] is None
    assert result["mean"]["nonocc"] == result["pairs"][0]["nonocc"]


def test_certainty_gives_one_more_figure(pairs):
    result = report(pairs, baselines=[Constant("plain", 0)]).as_json()
    assert result["pairs"][0]["bad2_80"] == pytest.approx(0.3 / 0.8)
    assert result["mean"].keys() == JSON_KEYS | {"bad2_80"}
    assert result["baseline"]["plain"]["mean"].keys() == JSON_KEYS


def test_baselines_have_the_same_shape(pairs):
    result = report(pairs, baselines=[Constant("a", 2 * TRUE_PX), Constant("b", 20)]).as_json()
    assert list(result["baseline"]) == ["a", "b"]
    assert result["baseline"]["a"]["mean"]["bad2"] == 0.25
    assert result["baseline"]["b"]["mean"]["bad2"] == 1
    assert [pair["id"] for pair in result["baseline"]["b"]["pairs"]] == ["dense", "sparse"]


def test_the_report_is_json_even_where_nothing_can_be_measured(pairs):
    class Blind(Constant):
        def match(self, left, right):
            return np.full(left.shape, np.nan, np.float32), None

    result = evaluate_stereo(pairs, Blind("blind", 0)).as_json()
    json.dumps(result, allow_nan=False)
    assert result["mean"]["epe"] is None
    assert (result["mean"]["bad3"], result["mean"]["density"]) == (1, 0)


def test_time_is_that_of_the_process_and_of_the_matcher_alone(pairs, monkeypatch):
    clock = iter([1.0, 1.25, 7.0, 7.75])
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    result = evaluate_stereo(pairs, Constant("ours", 0)).as_json()
    assert [pair["cpu_ms"] for pair in result["pairs"]] == [250, 750]
    assert result["mean"]["cpu_ms"] == 500


def test_a_map_of_another_size_is_the_matchers_fault(pairs):
    class Small(Constant):
        def match(self, left, right):
            return np.zeros((2, 2), np.float32), None

    with pytest.raises(EvaluationError, match=r"matcher small on pair 'dense': shape \(2, 2\)") as caught:
        evaluate_stereo(pairs, Small("small", 0))
    assert caught.value.exit_code == os.EX_SOFTWARE


def test_no_pairs(pairs):
    with pytest.raises(EvaluationError, match="no pair"):
        evaluate_stereo([], Constant("ours", 0))


def test_the_table_is_aligned_and_shows_percents(pairs, monkeypatch):
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    text = report(pairs, baselines=[Constant("plain", 20)]).as_text()
    table = text.split("\n\n", 1)[1].splitlines()
    assert table == [
        "       |                    ours                    |                   plain",
        "pair   |   bad-2    EPE     D1 nonocc sure80    CPU |   bad-2    EPE     D1 nonocc sure80    CPU",
        "dense  |   50.00   5.00  50.00  37.50  37.50      0 |  100.00  17.00 100.00 100.00      -      0",
        "sparse |    0.00   0.00   0.00      -   0.00      0 |  100.00  12.00 100.00      -      -      0",
        "mean   |   25.00   2.50  25.00  37.50  18.75      0 |  100.00  14.50 100.00 100.00      -      0",
    ]
