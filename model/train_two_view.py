"""Train a variant of TinyRoMa: ``python -m model.train_two_view tiny_preprocess --textures DIR``.

Options, checkpoints and log are those of ``model.train``; the same command goes on where it stopped. Variants that
match whole images learn from moving cameras, those that match along rows from rectified pairs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from roma_device.runtime.card import ModelError

from .atlas import Atlas
from .command import run_tool
from .stream import batches
from .tiny_roma.config import TinyRomaConfig
from .tiny_roma.network import Stage, TinyRoma
from .train import open_atlas
from .train import pairs as stereo_pairs
from .train import parse as parse_options
from .training import Training, normalize, train
from .two_view import TwoViewBatch, TwoViewRenderer, TwoViewSampler, from_stereo
from .two_view_loss import at_cells, candidate_loss, two_view_loss

GOOD_PX = 3.0


class TwoViewTraining(Training[TwoViewBatch]):
    """Of a variant of TinyRoMa."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.tiny = TinyRomaConfig.load(arguments.variant)
        super().__init__(arguments, lambda: TinyRoma(self.tiny))

    def loss(self, batch: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
        a, b = (normalize(one) if self.tiny.normalization == "preprocess" else one for one in (batch.a, batch.b))
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            found = self.network.infer(a, b)
        regression, parts = two_view_loss(found.stages, batch)
        comparison = candidate_loss(found.comparison.candidates(), batch)
        loss = regression + comparison
        totals = {"loss": float(loss.detach()), "comparison": float(comparison.detach())}
        return loss, totals | parts | _figures(found.stages[-1], batch)


@torch.no_grad()
def _figures(last: Stage, batch: TwoViewBatch) -> dict[str, float]:
    """Of the cells whose match is known: median error in input px, and the share within GOOD_PX."""
    position, known = at_cells(batch, last.stride)
    height, width = batch.a.shape[2:]
    per_unit = torch.tensor([width / 2, height / 2], device=position.device).view(1, 2, 1, 1)
    error_px = ((last.position.float() - position) * per_unit).norm(dim=1)[known]
    if not len(error_px):
        return {"median_px": float("nan"), "good": 0.0}
    return {"median_px": float(error_px.median()), "good": float((error_px < GOOD_PX).float().mean())}


def pairs(training: TwoViewTraining) -> Iterator[TwoViewBatch]:
    """The stream of the run's options, from the step that it has reached."""
    if training.tiny.stereo:
        return map(from_stereo, stereo_pairs(training))
    a = training.arguments
    atlas, size = Atlas(open_atlas(a).to(training.device)), tuple(a.size)
    sampler = TwoViewSampler(size, a.batch, len(atlas), seed=a.seed)
    return batches(sampler, TwoViewRenderer(atlas, size), training.step, a.steps, a.workers)


def run(arguments: argparse.Namespace) -> None:
    training = TwoViewTraining(arguments)
    train(training, lambda: pairs(training))


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options of ``model.train``, with a folder for each variant."""
    given = sys.argv[1:] if words is None else words
    arguments = parse_options(given)
    if not any(word.startswith("--output") for word in given):
        arguments.output = Path("runs") / arguments.variant
    if arguments.validate is not None:
        message = "--validate scores the stereo network alone; export and evaluate instead"
        raise ModelError(message, exit_code=os.EX_USAGE)
    return arguments


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
