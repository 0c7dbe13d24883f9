"""Ablation of TinyRoMa's variants at one small budget.

``python -m model.studies.ablation --textures DIR --output FOLDER --bf16 --store``

Trains every trial with every seed on the same pairs in the same order, scores the averaged weights on pairs that no
seed trains with, and adds a line to ``FOLDER/results.jsonl``. What is finished is not repeated, and what was
interrupted goes on from its last checkpoint. ``--store`` writes the results to ``model/measured/ablation.json``,
from which ``python -m model.studies.models_page --tables-only`` makes the tables of ``docs/models.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import torch

from model.base.cli import run_tool
from model.base.loop import train
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas
from model.tiny_roma.network import TinyRoma
from model.train_two_view import TwoViewTraining
from model.train_two_view import parse as parse_training
from roma_device.runtime.card import ModelError

from .pairs import HeldOutPairs, SharedPairs, training_stream
from .plan import HELD_OUT_SEED, QUESTIONED, REST, Budget, Trial
from .records import MEASURED, Ledger, Record
from .score import score

SAVE_EVERY = 100


def run(arguments: argparse.Namespace) -> None:
    """Train and score what the folder lacks."""
    trials = list(dict.fromkeys(Trial.named(text) for text in arguments.variants))
    textures = build_atlas(arguments.textures, arguments.patterns)
    atlas, budget = Atlas(textures), _budget(arguments, len(textures))
    ledger, held_out = Ledger(arguments.output, budget), HeldOutPairs(atlas, budget)
    for seed in arguments.seeds:
        for pairs in dict.fromkeys(trial.pairs for trial in trials):
            shared = SharedPairs(training_stream(pairs, atlas, budget, seed))
            for trial in trials:
                if trial.pairs == pairs and not ledger.has(trial, seed):
                    network = _trained(trial, seed, shared, budget, arguments)
                    scores = score(network, pairs, held_out.of(pairs))
                    ledger.add(Record(trial.variant, pairs, seed, scores))
    if arguments.store is not None:
        ledger.store(arguments.store, f"{platform.machine()}, torch {torch.__version__}")


def _budget(arguments: argparse.Namespace, textures: int) -> Budget:
    a = arguments
    return Budget(
        steps=a.steps,
        batch=a.batch,
        size=tuple(a.size),
        rate=a.rate,
        muon_rate=a.muon_rate,
        bf16=a.bf16,
        photos=textures - a.patterns,
        patterns=a.patterns,
        max_shift_px=a.max_shift,
        held_out=a.held_out,
    )


def _trained(trial: Trial, seed: int, shared: SharedPairs, budget: Budget, arguments: argparse.Namespace) -> TinyRoma:
    """The averaged weights after the last step; goes on where it stopped."""
    folder = arguments.output / "runs" / f"{trial.variant}-{trial.pairs}-{seed}"
    options = {
        "output": folder,
        "steps": budget.steps,
        "warmup": budget.warmup,
        "cooldown": budget.cooldown,
        "rate": budget.rate,
        "muon-rate": budget.muon_rate,
        "batch": budget.batch,
        "seed": seed,
        "threads": arguments.threads,
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


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Raises ModelError for what cannot be compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--output", type=Path, required=True, help="results and checkpoints go here")
    add("--textures", type=Path, help="folder of natural images (*.jpg) to use as textures")
    add("--patterns", type=int, default=60, help="number of procedural textures (60)")
    add("--variants", nargs="+", default=(*QUESTIONED, *REST), metavar="VARIANT", help="VARIANT or VARIANT:stereo")
    add("--seeds", type=int, nargs="+", default=(0, 1, 2), help="of weights and pairs (0 1 2)")
    add("--steps", type=int, default=500, help="of each run (500)")
    add("--batch", type=int, default=4, help="pairs per step (4)")
    add("--size", type=int, nargs=2, default=(192, 96), metavar=("W", "H"), help="px, multiples of 32 (192 96)")
    add("--rate", type=float, default=2e-3, help="learning rate of AdamW (2e-3)")
    add("--muon-rate", type=float, default=0.02, help="learning rate of Muon (0.02)")
    add("--bf16", action="store_true", help="convolutions in bfloat16: for processors with AVX-512 BF16 or AMX")
    add("--max-shift", type=float, default=8, help="px by which rectified pairs are out of line in training (8)")
    add("--held-out", type=int, default=160, help="pairs to score on (160)")
    add("--threads", type=int, default=1, help="of the processor (1)")
    add("--store", type=Path, nargs="?", const=MEASURED, help=f"write the results also to this file ({MEASURED.name})")
    arguments = parser.parse_args(words)
    if HELD_OUT_SEED in arguments.seeds:
        raise ModelError(f"--seeds {HELD_OUT_SEED} is that of the pairs to score on", exit_code=os.EX_USAGE)
    if min(arguments.steps, arguments.batch, arguments.held_out) < 1:
        raise ModelError("--steps, --batch and --held-out must be at least 1", exit_code=os.EX_USAGE)
    return arguments


def main(words: list[str] | None = None) -> None:
    run(parse(words))


if __name__ == "__main__":
    run_tool(main)
