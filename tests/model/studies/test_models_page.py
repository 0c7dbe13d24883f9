from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from model.studies.ablation.plan import QUESTIONED, REST, SHIFTS_PX, Pairs, Trial  # noqa: E402
from model.studies.ablation.records import Record  # noqa: E402
from model.studies.models_page.__main__ import PAGE, rendered  # noqa: E402
from model.studies.models_page.answers import answers  # noqa: E402
from model.studies.models_page.facts import Facts  # noqa: E402
from model.studies.models_page.results import Results, Source  # noqa: E402
from model.studies.models_page.tables import variant_table  # noqa: E402
from model.tiny_roma.config import names  # noqa: E402
from roma_device.runtime.card import ModelError  # noqa: E402

BUDGET = {
    "steps": 600,
    "batch": 4,
    "size": [192, 96],
    "rate": 0.002,
    "muon_rate": 0.02,
    "bf16": True,
    "photos": 266,
    "patterns": 60,
    "held_out": 256,
    "machine": "an abacus",
}


def record(variant: str, pairs: Pairs, seed: int, share: float) -> Record:
    """Every condition is a point worse than the one before."""
    conditions = ("as trained", "released position", "raw grey")
    if pairs == "stereo":
        conditions = tuple(f"{shift} px" for shift in SHIFTS_PX)  # type: ignore[assignment]
    shares = {name: share - 0.01 * place for place, name in enumerate(conditions)}
    figures = {
        name: {"within_3px": one, "within_1pct": one / 2, "median_px": 5.0, "epe_px": 1 / one}
        for name, one in shares.items()
    }
    return Record(variant, pairs, seed, figures)


@pytest.fixture(scope="module")
def results() -> Results:
    """tiny_raw is 3, 4 and 5 points below tiny_preprocess, whose own shares spread by 20; band1 above row by 2."""
    records = []
    for seed, base in enumerate((0.4, 0.5, 0.6)):
        records += [record("tiny_preprocess", "two_view", seed, base)]
        records += [record("tiny_raw", "two_view", seed, base - 0.03 - 0.01 * seed)]
        records += [record("tiny_row", "stereo", seed, base), record("tiny_band1", "stereo", seed, base + 0.02)]
    return Results(records)


def cells(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_questions_are_answered_with_paired_differences(results: Results) -> None:
    text = answers(results, BUDGET)
    assert text.startswith(
        "600 steps of 4 pairs of 192x96 px, AdamW 0.002 and Muon 0.02, convolutions in bf16, 266 nat"
    )
    assert "3 seeds; an abacus" in text
    assert cells(text, "trained and run with it")[1:4] == ["50.0 ± 24.8", "", "25.0 ± 12.4"]
    assert cells(text, "trained and run without it")[1:3] == ["46.0 ± 22.4", "-4.0 ± 2.5"]
    assert cells(text, "trained with it, run without it")[2] == "-2.0 ± 0.0"
    assert cells(text, "the release's branch")[2] == "-1.0 ± 0.0"
    assert "### Passes" not in text, "tiny_twice was not trained"


def test_rows_out_of_line_are_compared_with_the_own_row(results: Results) -> None:
    text = answers(results, BUDGET)
    assert [cell.split(" ")[0] for cell in cells(text, "own row")[1:]] == ["50.0", "49.0", "48.0", "47.0", "46.0"]
    less = text.split("Difference to the own row, seed by seed:")[1]
    assert cells(less, "±1 row of cells")[1:] == ["+2.0 ± 0.0"] * 5
    assert "own row" not in less.split("Mean error")[0]


def test_equal_variants_share_their_figures(results: Results) -> None:
    plain = Source("tiny_preprocess", "two_view", "as trained")
    assert [results.accuracy_source(name) for name in ("tiny_batch", "tiny_learned_exact")] == [plain, plain]
    assert results.accuracy_source("tiny_learned") == Source("tiny_preprocess", "two_view", "released position")
    assert results.accuracy_source("tiny_learned_raw") == Source("tiny_raw", "two_view", "released position")
    assert results.accuracy_source("tiny_row_batch") == Source("tiny_row", "stereo", "0 px")
    for other in ("tiny_learned_mean_std", "tiny_fixed", "tiny_fine", "tiny_row_large", "tiny_row4_fine"):
        assert results.accuracy_source(other) is None


def test_a_variant_that_was_trained_itself_has_its_own_figures() -> None:
    results = Results([record(name, "two_view", 0, 0.5) for name in ("tiny_batch", "tiny_preprocess")])
    sources = [results.accuracy_source(name) for name in ("tiny_batch", "tiny_preprocess")]
    assert [one.variant for one in sources if one is not None] == ["tiny_batch", "tiny_preprocess"]


def test_table_has_accuracy_and_tolerance(results: Results) -> None:
    table = variant_table(Facts.stored(), results)
    assert cells(table, "`tiny_row`")[-2:] == ["50.0 ± 24.8", "49.0, 48.0, 47.0, 46.0"]
    assert cells(table, "`tiny_learned`")[-2:] == ["49.0 ± 24.8", "-"]
    assert cells(table, "`tiny_fine`")[-2:] == ["not trained", "-"]


def test_a_single_seed_has_no_interval() -> None:
    results = Results([record("tiny_raw", "two_view", 0, 0.5)])
    assert cells(variant_table(Facts.stored(), results), "`tiny_raw`")[-2] == "50.0"


def test_the_page_is_what_the_stored_figures_give() -> None:
    page = PAGE.read_text()
    assert rendered(page, Facts.stored()) == page, "run python -m model.studies.models_page --tables-only"
    assert list(Facts.stored().variants) == names()


def test_a_page_without_marks_is_one_sentence() -> None:
    with pytest.raises(ModelError, match="lacks the marks <!-- variants"):
        rendered("# Models\n", Facts.stored())


MEASURE = """
import sys
from pathlib import Path
from model.studies.models_page import facts, speed
facts.SIZE = speed.SIZE = (128, 64)
facts.measure(["tiny_row_narrow"], 1).store(Path(sys.argv[1]))
"""


def test_figures_are_measured_and_kept(tmp_path: Path) -> None:
    """In a process of its own: so many engines beside torch's workers have brought down that of the tests."""
    path = tmp_path / "facts.json"
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, cwd=PAGE.parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = Facts.stored(path).variants["tiny_row_narrow"]
    assert {"onnx fp32", "onnx int8", "opencv fp32"} <= set(found.cpu_ratio) and min(found.cpu_ratio.values()) > 0
    assert found.verdicts == {"AX650": "compiles", "AX620E": "compiles"} and found.npu_ms.endswith(" estimated")


@pytest.mark.parametrize("content", [None, "{", '{"variants": {"tiny_row": {"gmac": 1}}}', "[]"])
def test_damaged_figures_are_one_sentence(content: Any, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "facts.json").write_text(content)
    with pytest.raises(ModelError, match="measure them anew"):
        Facts.stored(tmp_path / "facts.json")


def test_every_variant_has_an_accuracy_once_all_trials_are_done() -> None:
    trials = map(Trial.named, (*QUESTIONED, *REST))
    results = Results(record(one.variant, one.pairs, 0, 0.5) for one in trials)
    assert [name for name in names() if results.accuracy_source(name) is None] == []
