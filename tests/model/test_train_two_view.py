from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.base.loop import CHECKPOINT  # noqa: E402
from model.tiny_roma.export import load_network  # noqa: E402
from model.train_two_view import TwoViewTraining, pairs, parse, run  # noqa: E402
from roma_device.runtime.card import ModelError  # noqa: E402


def words(variant: str, folder: Path, steps: int, *more: str) -> list[str]:
    small = ["--patterns", "6", "--batch", "2", "--size", "128", "64", "--workers", "0", "--log-every", "1"]
    return [variant, "--output", str(folder), "--steps", str(steps), "--save-every", "2", *small, *more]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / CHECKPOINT)["network"]


def test_interrupted_training_goes_on_as_if_nothing_happened(tmp_path: Path) -> None:
    for folder, steps in (("whole", 4), ("halves", 2), ("halves", 4)):
        run(parse(words("tiny_narrow", tmp_path / folder, steps, "--cooldown", "0")))
    whole, halves = weights(tmp_path / "whole"), weights(tmp_path / "halves")
    assert all(torch.allclose(whole[name], halves[name], atol=1e-6) for name in whole)
    lines = (tmp_path / "halves" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    network, facts = load_network(str(tmp_path / "halves" / CHECKPOINT))
    assert facts["trained_on"] == "synthetic pairs, 4 steps, variant tiny_narrow" and not network.training


@pytest.mark.parametrize("variant", ["tiny_narrow", "tiny_row_narrow", "two-view"])
def test_training_learns_a_batch(variant: str, tmp_path: Path) -> None:
    trainer = TwoViewTraining(parse(words(variant, tmp_path, 1000, "--warmup", "1")))
    batch = next(pairs(trainer))
    figures = [trainer.learn(batch) for _ in range(30)]
    assert figures[-1]["median_px"] < 0.6 * figures[0]["median_px"]
    assert figures[-1]["loss"] < 0.9 * figures[0]["loss"]


def test_each_variant_has_its_folder() -> None:
    assert parse(["tiny_row"]).output == Path("runs/tiny_row")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny_row", "--validate", "index.json"], "--validate knows no tiny_row"),
        (["stereo"], "unknown variant 'stereo'; known: tiny_band0, "),
        (["tiny_row", "--size", "100", "64"], "--size 100 64: both must be multiples of 32"),
        (["tiny_row", "--textures", "nowhere"], "nowhere: holds no \\*.jpg"),
    ],
)
def test_bad_options_are_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        run(parse([*words, "--output", str(tmp_path)]))
