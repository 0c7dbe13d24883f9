"""One trial with one seed: a task for a worker, whose process keeps the pairs for the next one."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.base.loop import train
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas
from model.tiny_roma.network import TinyRoma
from model.train_two_view import TwoViewTraining
from model.train_two_view import parse as parse_training

from .pairs import HeldOutPairs, SharedPairs, training_stream
from .plan import Budget, Pairs, Trial
from .records import Record
from .score import score

SAVE_EVERY = 100


@dataclass(frozen=True, slots=True)
class Run:
    """What a worker is asked for."""

    trial: Trial
    seed: int
    budget: Budget
    textures: Path | None
    patterns: int
    output: Path
    threads: int

    @classmethod
    def of(cls, trial: Trial, seed: int, budget: Budget, arguments: argparse.Namespace) -> Run:
        a = arguments
        textures = None if a.textures is None else a.textures.absolute()
        return cls(trial, seed, budget, textures, a.patterns, a.output.absolute(), a.threads)


def trained_and_scored(run: Run) -> Record:
    """Raises ModelError and OSError."""
    shared = _shared(run.textures, run.patterns, run.trial.pairs, run.budget, run.seed)
    held_out = _held_out(run.textures, run.patterns, run.budget)
    scores = score(_trained(run, shared), run.trial.pairs, held_out.of(run.trial.pairs))
    return Record(run.trial.variant, run.trial.pairs, run.seed, scores)


@lru_cache(maxsize=1)
def _atlas(textures: Path | None, patterns: int) -> Atlas:
    return Atlas(build_atlas(textures, patterns))


@lru_cache(maxsize=1)
def _shared(textures: Path | None, patterns: int, pairs: Pairs, budget: Budget, seed: int) -> SharedPairs:
    """Of the last stream alone: they take much memory."""
    return SharedPairs(training_stream(pairs, _atlas(textures, patterns), budget, seed))


@lru_cache(maxsize=1)
def _held_out(textures: Path | None, patterns: int, budget: Budget) -> HeldOutPairs:
    return HeldOutPairs(_atlas(textures, patterns), budget)


def _trained(run: Run, shared: SharedPairs) -> TinyRoma:
    """The averaged weights after the last step; goes on where it stopped."""
    trial, seed, budget = run.trial, run.seed, run.budget
    options = {
        "output": run.output / "runs" / f"{trial.variant}-{trial.pairs}-{seed}",
        "steps": budget.steps,
        "warmup": budget.warmup,
        "cooldown": budget.cooldown,
        "rate": budget.rate,
        "muon-rate": budget.muon_rate,
        "batch": budget.batch,
        "seed": seed,
        "threads": run.threads,
        "save-every": SAVE_EVERY,
        "log-every": min(100, budget.steps),
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    size = ["--size", *map(str, budget.size), "--bf16" if budget.bf16 else "--no-bf16"]
    training, started_s = TwoViewTraining(parse_training([trial.variant, *words, *size])), time.process_time()
    print(f"{trial}, seed {seed}", flush=True)
    train(training, lambda: shared.between(training.step, budget.steps))
    print(f"{trial}, seed {seed}: {time.process_time() - started_s:.1f} s of processor time", flush=True)
    averaged = training.average.module
    assert isinstance(averaged, TinyRoma)
    return averaged
