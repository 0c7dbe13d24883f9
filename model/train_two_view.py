"""Train a network for pairs of images: ``python -m model.train_two_view two-view --textures DIR``.

Options, checkpoints and log are those of ``model.train``; the same command goes on where it stopped. Variants that
match whole images learn from moving cameras, those that match along rows from rectified pairs.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roma_device.runtime.card import ModelError

from .base.cli import run_tool
from .base.loop import Training, normalize, train
from .cascade.network import Cascade
from .data.loader import batches
from .data.texture_atlas import Atlas
from .data.two_view_pairs import TwoViewBatch, TwoViewRenderer, from_stereo
from .data.two_view_scenes import TwoViewSampler
from .tiny_roma.loss import at_cells
from .train import open_atlas, options, parsed
from .train import pairs as stereo_pairs
from .two_view_kinds import AnyStage, CascadeKind, kind_of

GOOD_PX, ROUGH_PX = 3.0, 8.0


class TwoViewTraining(Training[TwoViewBatch]):
    """Of a variant of TinyRoMa or of our own network."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.kind = kind_of(arguments.variant)
        super().__init__(arguments, self.kind.network)
        self.network.to(memory_format=torch.channels_last)

    def loss(self, batch: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
        a, b = (normalize(one) if self.kind.normalized else one for one in (batch.a, batch.b))
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.network.infer(a, b)
        loss, parts = self.kind.loss(output, batch)
        return loss, {"loss": float(loss.detach())} | parts | _figures(self.kind.stages(output), batch)

    def score(self) -> dict[str, Any] | None:
        if self.arguments.validate is None:
            return None
        from .validate import validate_pose

        network = copy.deepcopy(self.average.module).cpu()
        assert isinstance(network, Cascade)
        return validate_pose(network, self.arguments.validate)


@torch.no_grad()
def _figures(stages: Sequence[AnyStage], batch: TwoViewBatch) -> dict[str, float]:
    """Of the cells whose match is known: the first stage's share within ROUGH_PX; the last one's within GOOD_PX, and
    its median error in input px."""
    first, last = _errors_px(stages[0], batch), _errors_px(stages[-1], batch)
    if not len(first) or not len(last):
        return {"rough": 0.0, "median_px": float("nan"), "good": 0.0}
    return {
        "rough": float((first < ROUGH_PX).float().mean()),
        "median_px": float(last.median()),
        "good": float((last < GOOD_PX).float().mean()),
    }


def _errors_px(stage: AnyStage, batch: TwoViewBatch) -> Tensor:
    """(N,)."""
    position, known = at_cells(batch, stage.stride)
    height, width = batch.a.shape[2:]
    per_unit = torch.tensor([width / 2, height / 2], device=position.device).view(1, 2, 1, 1)
    error_px: Tensor = ((stage.position.float() - position) * per_unit).norm(dim=1)
    return error_px[known]


def pairs(training: TwoViewTraining) -> Iterator[TwoViewBatch]:
    """The stream of the run's options, from the step that it has reached."""
    if training.kind.rectified:
        return map(from_stereo, stereo_pairs(training))
    a = training.arguments
    if a.pairs is not None:
        raise ModelError(f"--pairs holds rectified pairs, {a.variant} needs two views", exit_code=os.EX_USAGE)
    atlas, size = Atlas(open_atlas(a).to(training.device)), tuple(a.size)
    sampler = TwoViewSampler(
        size, a.batch, len(atlas), seed=a.seed, turned_share=a.turned_share, facade_share=a.facade_share
    )
    return batches(sampler, TwoViewRenderer(atlas, size), training.step, a.steps, a.workers)


def run(arguments: argparse.Namespace) -> None:
    training = TwoViewTraining(arguments)
    train(training, lambda: pairs(training))


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options of ``model.train``, with a folder for each variant."""
    given = sys.argv[1:] if words is None else words
    parser = options(__doc__)
    parser.add_argument(
        "--turned-share", type=float, default=0.0, help="scenes whose second camera rolls at will and zooms to 2.5"
    )
    parser.add_argument(
        "--facade-share", type=float, default=0.0, help="scenes that are facades of repeated windows, from far aside"
    )
    arguments = parsed(parser, given)
    for name in ("turned_share", "facade_share"):
        if not 0 <= (share := getattr(arguments, name)) <= 1:
            message = f"--{name.replace('_', '-')} {share:g}: a share lies between 0 and 1"
            raise ModelError(message, exit_code=os.EX_USAGE)
    if not any(word.startswith("--output") for word in given):
        arguments.output = Path("runs") / arguments.variant
    if arguments.validate is not None and not isinstance(kind_of(arguments.variant), CascadeKind):
        message = f"--validate knows no {arguments.variant}; export it and evaluate instead"
        raise ModelError(message, exit_code=os.EX_USAGE)
    return arguments


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
