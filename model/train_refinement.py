"""Train the second stage of stereo: ``python -m model.train_refinement stereo-refinement --textures DIR``.

The first stage is frozen. The second learns to refine its result and its own: before the pass that is learned from
there are none, one or two others. Half of the first results were found on images of half the size, and some passes are
learned there: one second stage serves a first stage of either size. Resumes from the newest checkpoint in its output
folder, as ``model.train`` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from .base.cli import run_tool
from .base.loop import Training, normalize, train
from .data.loader import batches
from .data.stereo_pairs import PairBatch
from .stereo.bundle import load_network
from .stereo.cells import to_parts
from .stereo.passes import Found, after_passes, enlarged, found_first, refined
from .stereo.refinement import Refinement, RefinementConfig
from .stereo.refinement_loss import refinement_loss
from .stereo.refinement_pairs import FirstGuess, GuessingRenderer, blotches
from .train import options, pair_source, parsed

FIRST = Path(__file__).parent / "checkpoints" / "stereo.pt"
MOST_PASSES = 2
"""Passes before the one that is learned from."""
SMALL_SHARE = 0.35
"""Of the batches that the first stage saw at half their size: those whose pass too is learned at half the size."""
STEPS_PER_PASS = 250
"""Steps after which one more pass is allowed: what knows nothing yet only adds errors to its own."""


class RefinementTraining(Training[FirstGuess]):
    """Of a second stage on what the first one found."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(arguments, lambda: Refinement(RefinementConfig.load(arguments.variant)))
        self.network.to(memory_format=torch.channels_last)

    def loss(self, batch: FirstGuess) -> tuple[Tensor, dict[str, float]]:
        pairs = replace(batch.pairs, left=normalize(batch.pairs.left), right=normalize(batch.pairs.right))
        random = torch.Generator().manual_seed(1_000_003 * self.arguments.seed + self.step)
        disturbed = batch.disparity_px + blotches(batch.disparity_px, random, self.arguments.blotches)
        found = found_first(disturbed.clamp(min=0), batch.certainty)
        most = min(MOST_PASSES, self.step // STEPS_PER_PASS)
        if batch.is_halved:
            small = pairs.halved()
            if float(torch.rand((), generator=random)) < SMALL_SHARE:
                return self._pass(small, found)
            passes = int(torch.randint(min(most, 1) + 1, (), generator=random))
            found = enlarged(after_passes(self.network, small.left, small.right, found, passes))
            most = min(most, 1)
        passes = int(torch.randint(most + 1, (), generator=random))
        return self._pass(pairs, after_passes(self.network, pairs.left, pairs.right, found, passes))

    def _pass(self, pairs: PairBatch, found: Found) -> tuple[Tensor, dict[str, float]]:
        """The pass that is learned from, on normalized images."""
        output, cells_px = refined(self.network, pairs.left, pairs.right, found)
        loss, parts = refinement_loss(output, cells_px, pairs)
        target_px = pairs.disparity_px[:, None]
        before, error = (found.disparity_px - target_px).abs(), (output.parts_px.detach() - to_parts(target_px)).abs()
        return loss, parts | {
            "bad1_before": float((before > 1).float().mean()),
            "bad1": float((error > 1).float().mean()),
            "bad2_before": float((before > 2).float().mean()),
            "bad2": float((error > 2).float().mean()),
        }


def guesses(training: RefinementTraining) -> Iterator[FirstGuess]:
    """The stream of the run's options, from the step that it has reached."""
    a = training.arguments
    sampler, renderer = pair_source(a, training.device)
    stages = (load_network(path)[0].to(training.device) for path in (a.first, a.first_of_half or a.first))
    first, of_half = (one.to(memory_format=torch.channels_last) for one in stages)  # type: ignore[call-overload]
    return batches(sampler, GuessingRenderer(renderer, first, of_half), training.step, a.steps, a.workers)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = options(__doc__)
    parser.set_defaults(output=Path("runs/stereo-refinement"), steps=20000, cooldown=8000)
    parser.set_defaults(lights=2, clean_share=0.5, room_share=0.4, close_share=0.3)
    add = parser.add_argument
    add("--first", type=Path, default=FIRST, help="checkpoint of the first stage")
    add("--first-of-half", type=Path, help="the same of a first stage that sees images of half the size; else that one")
    add("--blotches", type=float, default=2.0, help="px: most of the smooth errors added to the first result")
    return parsed(parser, words)


def run(arguments: argparse.Namespace) -> None:
    training = RefinementTraining(arguments)
    train(training, lambda: guesses(training))


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
