"""Pairs on disk are those of the stream, and training takes them for these."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.base.loop import CHECKPOINT  # noqa: E402
from model.data.loader import batches  # noqa: E402
from model.data.stereo_pairs import PairBatch  # noqa: E402
from model.train import pair_source  # noqa: E402
from model.train import parse as parse_training  # noqa: E402
from model.train import run as train  # noqa: E402
from model.write_pairs import parse, run  # noqa: E402
from roma_device.runtime.card import ModelError  # noqa: E402

OF_PAIRS = ["--patterns", "6", "--batch", "2", "--size", "64", "32"]
CPU = torch.device("cpu")


def written(folder: Path, steps: int, *more: str) -> Path:
    run(parse(["--output", str(folder), "--steps", str(steps), *OF_PAIRS, *more]))
    return folder


def training(folder: Path, *more: str) -> list[str]:
    small = ["--workers", "0", "--steps", "4", "--cooldown", "0"]
    return ["stereo", "--output", str(folder), *small, *OF_PAIRS, *more]


def test_what_is_read_is_what_the_stream_makes_to_the_bit(tmp_path: Path) -> None:
    more = ["--lights", "2", "--seed", "5", "--room-share", "0.5"]
    folder = written(tmp_path / "pairs", 6, *more)
    assert sorted(path.name for path in folder.iterdir()) == ["000000.npz", "000001.npz", "pairs.json"]
    live = parse_training(training(tmp_path / "a", *more))
    stored = parse_training(training(tmp_path / "b", "--pairs", str(folder)))
    made, read = (list(batches(*pair_source(each, CPU), 1, 7, workers=0)) for each in (live, stored))
    assert len(made) == len(read) == 6
    for one, other in zip(made, read, strict=True):
        assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in PairBatch.__slots__)


def test_a_call_goes_on_where_another_stopped_and_adds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path, 4)
    first = (folder / "000000.npz").stat().st_mtime_ns
    (folder / "000001.npz").unlink()
    written(folder, 6)
    assert "3 files for 6 steps" in (said := capsys.readouterr().out) and "2 of them new" in said
    assert (folder / "000000.npz").stat().st_mtime_ns == first
    with pytest.raises(ModelError, match="holds pairs with seed 0, not 1: take another folder"):
        written(folder, 6, "--seed", "1")


def test_training_on_them_is_the_same(tmp_path: Path) -> None:
    folder = written(tmp_path / "pairs", 4)
    train(parse_training(training(tmp_path / "live")))
    train(parse_training(training(tmp_path / "stored", "--pairs", str(folder))))
    live, stored = (torch.load(tmp_path / name / CHECKPOINT)["network"] for name in ("live", "stored"))
    assert all(torch.equal(live[name], stored[name]) for name in live)


def test_pairs_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    folder = written(tmp_path / "pairs", 2)
    wanted = training(tmp_path / "run", "--pairs", str(folder))
    with pytest.raises(ModelError, match="holds pairs for --size 64 32"):
        pair_source(parse_training([*wanted, "--size", "96", "32"]), CPU)
    sampler, _ = pair_source(parse_training(wanted), CPU)
    with pytest.raises(ModelError, match=r"000007\.npz is not there: python -m model\.write_pairs writes more"):
        sampler(7)
    whole = (folder / "000000.npz").read_bytes()
    for data in (b"", b"x" * 99, whole[:-100], whole[:500] + bytes(100) + whole[600:]):
        (folder / "000000.npz").write_bytes(data)
        with pytest.raises(ModelError, match="is damaged: remove it and have it written again"):
            sampler(0)
    with pytest.raises(ModelError, match=r"holds no pairs: python -m model\.write_pairs"):
        pair_source(parse_training([*wanted, "--pairs", str(tmp_path)]), CPU)
