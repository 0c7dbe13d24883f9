"""Ablation of TinyRoMa's variants at one small budget.

``python -m model.studies.ablation --textures DIR --output FOLDER --bf16 --store``

Trains every trial with every seed on the same pairs in the same order, scores the averaged weights on pairs that no
seed trains with, and adds a line to ``FOLDER/results.jsonl``. What is finished is not repeated, and what was
interrupted goes on from its last checkpoint. ``--store`` writes the results to ``model/measured/ablation.json``,
from which ``python -m model.studies.models_page --tables-only`` makes the tables of ``docs/models.md``. ``--on`` has
workers do trials side by side (docs/scale.md); they must see the folders under the same names, and this clone.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

import torch

from model.base.cli import run_tool
from model.data.textures import build_atlas
from roma_device.app.workers.results import results
from roma_device.runtime.card import ModelError

from .plan import HELD_OUT_SEED, QUESTIONED, REST, Budget, Trial
from .records import MEASURED, Ledger
from .trials import Run, trained_and_scored


def run(arguments: argparse.Namespace) -> None:
    """Train and score what the folder lacks."""
    trials = list(dict.fromkeys(Trial.named(text) for text in arguments.variants))
    budget = _budget(arguments, len(build_atlas(arguments.textures, arguments.patterns)))
    ledger = Ledger(arguments.output, budget)
    left = [
        Run.of(trial, seed, budget, arguments)
        for seed in arguments.seeds
        for pairs in dict.fromkeys(trial.pairs for trial in trials)  # one after the other: they share their pairs
        for trial in trials
        if trial.pairs == pairs and not ledger.has(trial, seed)
    ]
    for _, record in results(arguments.on, None, trained_and_scored, left, ModelError):
        ledger.add(record)
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
    add("--on", default="local:1", help="local:N or dask://HOST:PORT: trials side by side, with the same results")
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
