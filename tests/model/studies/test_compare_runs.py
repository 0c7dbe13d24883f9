from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.studies.compare_runs import compare, curve
from roma_device.runtime.card import ModelError


def logged(folder: Path, *records: dict[str, object]) -> Path:
    folder.mkdir()
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_common_steps_are_compared(tmp_path: Path) -> None:
    one = logged(tmp_path / "one", {"step": 50, "bad2": 0.5}, {"step": 50, "real": {}}, {"step": 100, "bad2": 0.4})
    two = logged(tmp_path / "two", {"step": 100, "bad2": 0.9}, {"step": 100, "bad2": 0.3}, {"step": 150, "bad2": 0.2})
    [(step, first, second, difference)] = compare(curve(one, "bad2"), curve(two, "bad2"))
    assert (step, first, second) == (100, 0.4, 0.3)
    assert difference == pytest.approx(-0.25)


def test_what_is_no_log_is_named_with_its_line(tmp_path: Path) -> None:
    folder = logged(tmp_path / "run", {"step": 50, "bad2": 0.5})
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 100, "ba')
    with pytest.raises(ModelError, match=r"log\.jsonl, line 2: not a line of a training log"):
        curve(folder, "bad2")
    with pytest.raises(ModelError, match="cannot read the log") as caught:
        curve(tmp_path / "none", "bad2")
    assert caught.value.exit_code == os.EX_NOINPUT


def test_a_figure_that_was_not_logged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no line has 'auc'"):
        curve(logged(tmp_path / "run", {"step": 50, "bad2": 0.5}), "auc")


def test_a_figure_over_another(tmp_path: Path) -> None:
    folder = logged(tmp_path / "run", {"step": 50, "bad2": 0.1, "bad2_before": 0.4})
    assert curve(folder, "bad2", "bad2_before") == {50: 0.25}
    with pytest.raises(ModelError, match="line 1: not a line of a training log"):
        curve(logged(tmp_path / "zero", {"step": 50, "bad2": 0.1, "bad2_before": 0}), "bad2", "bad2_before")
