"""Evaluations on two workers of a real scheduler: the same figures, to the bit, as in one process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.on_workers import in_order
from roma_device.app.evaluate.pose.evaluate import PoseEvaluation, run_evaluation
from roma_device.app.evaluate.stereo.evaluate import evaluate_from_settings
from roma_device.app.settings.settings import Settings
from roma_device.app.workers import Workers
from roma_device.app.workers.opening import open_workers
from roma_device.calibration.errors import RomaError


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    pytest.importorskip("distributed")
    with open_workers("local:2") as workers:
        yield workers


@pytest.fixture
def shared_workers(two: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens two local workers gets the same ones: they take seconds to start."""

    @contextmanager
    def opened(on: str, model: str | None) -> Iterator[Workers]:
        assert on == "local:2"
        yield two

    monkeypatch.setattr("roma_device.app.workers.results.open_workers", opened)


def texture(seed: int, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4), np.uint8)
    return np.asarray(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def stereo_index(tmp_path: Path) -> Path:
    """Walls 8, 10 and 12 px apart; every pair has a size of its own."""
    entries = []
    for number in range(3):
        wall, width, shift = texture(number, (360, 100 + 4 * number)), 320, 8 + 2 * number
        files = {"left": f"l{number}.png", "right": f"r{number}.png", "disparity": f"d{number}.png"}
        cv2.imwrite(str(tmp_path / files["left"]), wall[:, :width])
        cv2.imwrite(str(tmp_path / files["right"]), wall[:, shift : shift + width])
        cv2.imwrite(str(tmp_path / files["disparity"]), np.full((wall.shape[0], width), shift, np.uint8))
        entries.append({"id": str(number), **files, "scale": 1, "invalid": 0})
    (tmp_path / "index.json").write_text(json.dumps({"pairs": entries}))
    return tmp_path / "index.json"


def without_times(record: Any) -> Any:
    if isinstance(record, dict):
        return {key: without_times(value) for key, value in record.items() if key != "cpu_ms"}
    return [without_times(value) for value in record] if isinstance(record, list) else record


@pytest.mark.slow
@pytest.mark.usefixtures("shared_workers")
def test_stereo(stereo_index: Path) -> None:
    settings = Settings().overridden(engine="opencv", passes=0)
    alone, shared = (evaluate_from_settings(settings, stereo_index, ("sgbm",), on) for on in (None, "local:2"))
    assert without_times(shared.as_json()) == without_times(alone.as_json())
    assert alone.ours.mean.everywhere.epe < 20 and len(alone.ours.pairs) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("shared_workers")
def test_pose(tmp_path: Path) -> None:
    pairs = []
    for number in range(3):
        image = texture(number, (320, 240))
        turned = cv2.warpAffine(image, cv2.getRotationMatrix2D((159.5, 119.5), 4 + number, 1.0), (320, 240))
        for name, picture in (("a", image), ("b", turned)):
            cv2.imwrite(str(tmp_path / f"{name}{number}.png"), picture)
        matrix, turn = [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1], np.eye(3).ravel().tolist()
        files = {"a": f"a{number}.png", "b": f"b{number}.png", "K_a": matrix, "K_b": matrix}
        pairs.append({"id": str(number), "set": "s", **files, "R_b_from_a": turn, "t_b_from_a": [1, 0, 0]})
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": pairs}))
    alone, shared = (
        run_evaluation(PoseEvaluation(tmp_path / "pairs.json", matcher="sift", on=on)) for on in (None, "local:2")
    )
    assert shared.as_json() == alone.as_json() and len(alone.ours.pairs) == 3


def half(number: int) -> float:
    if number == 13:
        raise RomaError("thirteen has no half", exit_code=os.EX_DATAERR)
    return number / 2


def test_scores_come_in_order_and_the_first_failure_ends_it() -> None:
    assert in_order("local:1", None, half, [4, 2, 6]) == [2.0, 1.0, 3.0]
    with pytest.raises(EvaluationError, match="thirteen has no half") as error:
        in_order("local:1", None, half, [4, 13])
    assert error.value.exit_code == os.EX_DATAERR
