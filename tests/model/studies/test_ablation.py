from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.base.loop import normalize  # noqa: E402
from model.data.texture_atlas import Atlas  # noqa: E402
from model.data.textures import build_atlas  # noqa: E402
from model.data.two_view_pairs import TwoViewBatch, own_positions  # noqa: E402
from model.studies.ablation import trials as trials_module  # noqa: E402
from model.studies.ablation.__main__ import main  # noqa: E402
from model.studies.ablation.pairs import HeldOutPairs, SharedPairs  # noqa: E402
from model.studies.ablation.plan import QUESTIONED, Budget, Trial  # noqa: E402
from model.studies.ablation.records import read_measured  # noqa: E402
from model.studies.ablation.score import Reading, readings, score  # noqa: E402
from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.network import Inference, Stage  # noqa: E402
from model.train_two_view import TwoViewTraining  # noqa: E402
from roma_device.runtime.card import ModelError  # noqa: E402
from tests.model.tiny_networks import lively  # noqa: E402
from tests.model.tool_failure import exit_code  # noqa: E402

BUDGET = Budget(4, 2, (64, 32), 2e-3, 0.02, False, 0, 6, 8.0, 4)


def words(folder: Path, *more: str) -> list[str]:
    small = ["--steps", "4", "--batch", "2", "--size", "64", "32", "--patterns", "6", "--held-out", "4"]
    return ["--output", str(folder), *small, *more]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_every_trial_is_scored_with_every_seed_and_stored(tmp_path: Path) -> None:
    trials = ["--variants", "tiny_narrow", "tiny_row_narrow", "tiny_narrow:stereo", "--seeds", "0", "1"]
    main(words(tmp_path / "run", *trials, "--store", str(tmp_path / "stored.json")))
    budget, records = read_measured(tmp_path / "stored.json")
    assert budget["steps"] == 4 and budget["size"] == [64, 32] and budget["machine"]
    assert [(one.variant, one.pairs, one.seed) for one in records] == [
        ("tiny_narrow", "stereo", 0),
        ("tiny_narrow", "stereo", 1),
        ("tiny_row_narrow", "stereo", 0),
        ("tiny_row_narrow", "stereo", 1),
        ("tiny_narrow", "two_view", 0),
        ("tiny_narrow", "two_view", 1),
    ]
    assert list(records[0].scores) == ["0 px", "1 px", "2 px", "4 px", "8 px"]
    assert list(records[-1].scores) == ["as trained", "released position", "raw grey"]
    assert records[0].scores != records[1].scores != records[2].scores
    log = (tmp_path / "run" / "runs" / "tiny_narrow-stereo-1" / "log.jsonl").read_text()
    assert json.loads(log.splitlines()[-1])["step"] == 4


class Killed(BaseException):
    pass


def test_a_killed_run_goes_on_and_a_finished_one_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = ["--variants", "tiny_narrow", "tiny_raw", "--seeds", "3"]
    main(words(tmp_path / "whole", *trials))
    learn, learned = TwoViewTraining.learn, []

    def learn_or_die(self: TwoViewTraining, batch: TwoViewBatch) -> dict[str, float]:
        learned.append((self.arguments.variant, self.step))
        if len(learned) == 8:
            raise Killed
        return learn(self, batch)

    monkeypatch.setattr(trials_module, "SAVE_EVERY", 2)
    monkeypatch.setattr(TwoViewTraining, "learn", learn_or_die)
    with pytest.raises(Killed):
        main(words(tmp_path / "killed", *trials))
    assert [one["variant"] for one in lines(tmp_path / "killed")] == ["tiny_narrow"]
    main(words(tmp_path / "killed", *trials))
    assert learned[8:] == [("tiny_raw", 2), ("tiny_raw", 3)]
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    main(words(tmp_path / "killed", *trials))
    assert len(learned) == 10


def test_trials_see_the_same_pairs_rendered_once() -> None:
    stream = SharedPairs(iter("abcdef"))  # type: ignore[arg-type]
    assert list(stream.between(2, 4)) == ["c", "d"]
    assert list(stream.between(0, 5)) == list("abcde")


def test_held_out_scenes_are_the_same_but_for_their_rows() -> None:
    held_out = HeldOutPairs(Atlas(build_atlas(None, 6)), BUDGET)
    by_shift, half = held_out.of("stereo"), torch.tensor([32.0, 16.0]).view(1, 2, 1, 1)
    own = own_positions(32, 64, torch.device("cpu"))
    offsets = {name: torch.cat([(one.position - own) * half for one in batches]) for name, batches in by_shift.items()}
    for name, offset in offsets.items():
        assert torch.allclose(offset[:, 1].abs(), torch.full_like(offset[:, 1], float(name.split()[0])), atol=1e-4)
        assert torch.allclose(offset[:, 0], offsets["0 px"][:, 0])
    assert len({round(float(one), 2) for one in offsets["8 px"][:, 1].flatten()}) == 2, "up and down"
    assert held_out.of("stereo") is by_shift


class Off:
    """A network whose matches lie ``x``, ``y`` px beside the middles of cells of ``stride`` px."""

    def __init__(self, stride: int, x: float, y: float) -> None:
        self.stride, self.shift = stride, torch.tensor([2 * x / 64, 2 * y / 32]).view(1, 2, 1, 1)

    def infer(self, a: Any, b: Any) -> Inference:
        cells = own_positions(32 // self.stride, 64 // self.stride, torch.device("cpu")).expand(len(a), -1, -1, -1)
        return Inference(None, [Stage(self.stride, cells + self.shift, cells[:, :1])])  # type: ignore[arg-type]


@pytest.mark.parametrize("stride", [4, 8])
def test_errors_are_pixels_of_the_input(stride: int) -> None:
    image = torch.rand(2, 1, 32, 64)
    own = own_positions(32, 64, torch.device("cpu")).expand(2, -1, -1, -1)
    visible = torch.zeros(2, 32, 64, dtype=torch.bool)
    visible[:, 8:24, 8:56] = True  # away from the border, where an enlarged map repeats its outermost cells
    reading = Reading(Off(stride, 2.5, -1.25), normalized=False)  # type: ignore[arg-type]
    errors = reading.errors_px(TwoViewBatch(image, image, own, visible))
    assert errors.shape == (2 * 4 * 12, 2)
    assert torch.allclose(errors, torch.tensor([2.5, -1.25]).expand_as(errors), atol=1e-4)


def test_readings_change_what_they_say() -> None:
    network = lively(TinyRomaConfig.load("tiny_preprocess"))
    a, b = torch.rand(2, 1, 96, 128) * 0.3, torch.rand(2, 1, 96, 128) * 0.3
    own = own_positions(96, 128, torch.device("cpu")).expand(2, -1, -1, -1)
    batch = TwoViewBatch(a, b, own, torch.ones(2, 96, 128, dtype=torch.bool))
    found = {name: one.errors_px(batch) for name, one in readings(network).items()}
    assert list(found) == ["as trained", "released position", "raw grey"]
    normal = TwoViewBatch(normalize(a), normalize(b), own, batch.visible)
    assert torch.equal(found["as trained"], Reading(network, normalized=False).errors_px(normal))
    assert torch.equal(found["raw grey"], Reading(network, normalized=False).errors_px(batch))
    assert (found["released position"] - found["as trained"]).abs().max() > 1


def test_the_released_variant_is_also_read_as_it_was_trained() -> None:
    found = readings(lively(TinyRomaConfig.load("tiny_learned_raw")))
    assert {name: one.network.config.position for name, one in found.items()} == {
        "as trained": "exact",
        "released position": "released",
    }


def test_shares_and_errors_of_rectified_pairs() -> None:
    image = torch.rand(2, 1, 32, 64)
    own = own_positions(32, 64, torch.device("cpu")).expand(2, -1, -1, -1)
    batch = TwoViewBatch(image, image, own, torch.ones(2, 32, 64, dtype=torch.bool))

    class Network(Off, torch.nn.Module):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            Off.__init__(self, 4, 2.0, 5.0)
            self.config, self.weight = TinyRomaConfig(), torch.nn.Parameter(torch.zeros(1))

    figures = score(Network(), "stereo", {"0 px": [batch]})["0 px"]  # type: ignore[arg-type]
    assert figures == pytest.approx({"within_3px": 1, "within_1px": 0, "epe_px": 2, "row_px": 5}, abs=1e-4)


def test_all_questioned_trials_exist() -> None:
    trials = [Trial.named(name) for name in QUESTIONED]
    assert len(set(trials)) == len(QUESTIONED) and str(trials[-1]) == "tiny_preprocess:stereo"


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--variants", "tiny_rome"], os.EX_DATAERR, "unknown variant 'tiny_rome'"),
        (["--variants", "tiny_row:two_view"], os.EX_USAGE, "tiny_row needs rectified pairs"),
        (["--variants", "tiny_raw:mono"], os.EX_USAGE, "pairs are two_view or stereo"),
        (["--seeds", "20000"], os.EX_USAGE, "--seeds 20000 is that of the pairs to score on"),
        (["--held-out", "0"], os.EX_USAGE, "must be at least 1"),
        (["--size", "60", "32"], os.EX_USAGE, "both must be multiples of 32"),
        (["--textures", "/nowhere"], os.EX_NOINPUT, "/nowhere: holds no *.jpg"),
    ],
)
def test_bad_options_are_one_sentence(
    more: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(main, words(tmp_path, *more)) == code
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_another_budget_needs_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(words(tmp_path, "--variants", "tiny_row_narrow", "--seeds", "0"))
    assert exit_code(main, [*words(tmp_path), "--steps", "5"]) == os.EX_USAGE
    assert "the runs here have steps 4, not 5: take another folder" in capsys.readouterr().err


@pytest.mark.parametrize("line", ['{"variant": "tiny_r', '{"variant": "tiny_row"}', "3"])
def test_damaged_results_are_one_sentence(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.jsonl").write_text(line + "\n")
    assert exit_code(main, words(tmp_path)) == os.EX_DATAERR
    said = capsys.readouterr().err
    assert "results.jsonl" in said and said.count("\n") == 1


def test_nothing_stored_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"none\.json: cannot read it .* python -m model\.studies\.ablation --store writes it"
    ):
        read_measured(tmp_path / "none.json")
