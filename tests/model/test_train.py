from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.base.loop import CHECKPOINT  # noqa: E402
from model.stereo.bundle import load_network  # noqa: E402
from model.studies.strip_checkpoint import slim  # noqa: E402
from model.train import StereoTraining, parse, run  # noqa: E402


def words(folder: Path, steps: int, *more: str) -> list[str]:
    small = ["--patterns", "6", "--batch", "2", "--size", "192", "64", "--workers", "0", "--log-every", "1"]
    return ["stereo", "--output", str(folder), "--steps", str(steps), "--save-every", "2", *small, *more]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / CHECKPOINT)["network"]


def test_interrupted_training_goes_on_as_if_nothing_happened(tmp_path: Path) -> None:
    run(parse(words(tmp_path / "whole", 4, "--cooldown", "0")))
    run(parse(words(tmp_path / "halves", 2, "--cooldown", "0")))
    run(parse(words(tmp_path / "halves", 4, "--cooldown", "0")))
    whole, halves = weights(tmp_path / "whole"), weights(tmp_path / "halves")
    assert all(torch.allclose(whole[name], halves[name], atol=1e-6) for name in whole)
    steps = [json.loads(line)["step"] for line in (tmp_path / "halves" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]


def test_training_learns_a_pair(tmp_path: Path) -> None:
    from model.data.stereo_pairs import PairRenderer, SceneSampler
    from model.data.texture_atlas import Atlas
    from model.data.textures import build_atlas

    trainer = StereoTraining(parse(words(tmp_path, 1000, "--warmup", "1")))
    batch = PairRenderer(Atlas(build_atlas(None, 6)), (192, 64))(SceneSampler((192, 64), 2, 6, 40.0)(0))
    errors = [trainer.learn(batch)["epe_seen"] for _ in range(30)]
    assert min(errors[-5:]) < 0.5 * errors[0]


def test_rate_rises_stays_and_falls(tmp_path: Path) -> None:
    trainer = StereoTraining(parse(words(tmp_path, 100, "--warmup", "10", "--cooldown", "20")))
    rates = []
    for step in (0, 9, 50, 80, 90, 100):
        trainer.step = step
        rates.append(round(trainer.pace(), 3))
    assert rates == [0.1, 1.0, 1.0, 1.0, 0.5, 0.0]


def test_checkpoint_can_be_exported(tmp_path: Path) -> None:
    run(parse(words(tmp_path, 2)))
    network, origin = load_network(tmp_path / CHECKPOINT)
    assert origin == {"step": 2, "variant": "stereo"} and not network.training


def test_prepared_atlas_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.data import textures
    from model.train import open_atlas

    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "noise.jpg"), np.random.default_rng(0).integers(0, 256, (400, 500), np.uint8))
    monkeypatch.setattr("sys.argv", ["textures", str(photos), str(tmp_path / "atlas.npz"), "--patterns", "3"])
    textures.main()
    stored = open_atlas(parse(words(tmp_path, 1, "--atlas", str(tmp_path / "atlas.npz"))))
    assert (stored - textures.build_atlas(photos, 3)).abs().max() <= 0.5 / 255 + 1e-6


def test_slim_checkpoint_is_enough_to_go_on(tmp_path: Path) -> None:
    run(parse(words(tmp_path / "first", 2)))
    slim(tmp_path / "first" / CHECKPOINT, tmp_path / "slim.pt")
    assert (tmp_path / "slim.pt").stat().st_size < 7e6
    run(parse(words(tmp_path / "second", 3, "--start", str(tmp_path / "slim.pt"))))
    steps = [json.loads(line)["step"] for line in (tmp_path / "second" / "log.jsonl").read_text().splitlines()]
    assert steps == [3]
