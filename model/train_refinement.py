"""Train the second stage of stereo: ``python -m model.train_refinement stereo-refinement --textures DIR``.

The first stage is frozen. The second learns to refine its result and its own: before the pass that is learned from
there are none, one or two others. Resumes from the newest checkpoint in its output folder, as ``model.train`` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from .base.cli import run_tool
from .base.loop import Training, normalize, train
from .data.loader import batches
from .stereo.bundle import load_network
from .stereo.cells import to_parts
from .stereo.passes import after_passes, found_first, refined
from .stereo.refinement import Refinement, RefinementConfig
from .stereo.refinement_loss import refinement_loss
from .stereo.refinement_pairs import FirstGuess, GuessingRenderer, blotches
from .train import options, pair_source, parsed

FIRST = Path(__file__).parent / "checkpoints" / "stereo.pt"
MOST_PASSES = 2
"""Passes before the one that is learned from."""
STEPS_PER_PASS = 250
"""Steps after which one more pass is allowed: what knows nothing yet only adds errors to its own."""


class RefinementTraining(Training[FirstGuess]):
    """Of a second stage on what the first one found."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(arguments, lambda: Refinement(RefinementConfig.load(arguments.variant)))
        self.network.to(memory_format=torch.channels_last)

    def loss(self, batch: FirstGuess) -> tuple[Tensor, dict[str, float]]:
        left, right = normalize(batch.pairs.left), normalize(batch.pairs.right)
        random = torch.Generator().manual_seed(1_000_003 * self.arguments.seed + self.step)
        disturbed = batch.disparity_px + blotches(batch.disparity_px, random, self.arguments.blotches)
        found = found_first(disturbed.clamp(min=0), batch.certainty)
        most = min(MOST_PASSES, self.step // STEPS_PER_PASS)
        passes = int(torch.randint(most + 1, (), generator=random))
        found = after_passes(self.network, left, right, found, passes)
        output, cells_px = refined(self.network, left, right, found)
        loss, parts = refinement_loss(output, cells_px, batch.pairs)
        return loss, parts | _figures(output.parts_px.detach(), batch)


def _figures(parts_px: Tensor, batch: FirstGuess) -> dict[str, float]:
    """Of this pass, and of the first stage undisturbed."""
    target_px = batch.pairs.disparity_px[:, None]
    first, error = (batch.disparity_px - target_px).abs(), (parts_px - to_parts(target_px)).abs()
    return {
        "first_bad1": float((first > 1).float().mean()),
        "bad1": float((error > 1).float().mean()),
        "first_bad2": float((first > 2).float().mean()),
        "bad2": float((error > 2).float().mean()),
    }


def guesses(training: RefinementTraining) -> Iterator[FirstGuess]:
    """The stream of the run's options, from the step that it has reached."""
    a = training.arguments
    sampler, renderer = pair_source(a, training.device)
    first, _ = load_network(a.first)
    first.to(training.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return batches(sampler, GuessingRenderer(renderer, first), training.step, a.steps, a.workers)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = options(__doc__)
    parser.set_defaults(output=Path("runs/stereo-refinement"), steps=20000, cooldown=8000)
    parser.set_defaults(lights=2, clean_share=0.5, room_share=0.4, close_share=0.3)
    add = parser.add_argument
    add("--first", type=Path, default=FIRST, help="checkpoint of the first stage")
    add("--blotches", type=float, default=2.0, help="px: most of the smooth errors added to the first result")
    return parsed(parser, words)


def run(arguments: argparse.Namespace) -> None:
    training = RefinementTraining(arguments)
    train(training, lambda: guesses(training))


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
