"""Train a stereo variant on synthetic pairs: ``python -m model.train stereo --textures DIR``.

Resumes from the newest checkpoint in its output folder. The learning rate warms up, stays, and falls
linearly to zero over the last ``--cooldown`` steps, so a run can be prolonged from any checkpoint
that was saved before its cooldown.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roma_device.runtime.card import ModelError

from .base.cli import run_tool
from .base.loop import Training, normalize, train
from .data.loader import batches
from .data.stereo_pairs import PairBatch, PairRenderer, SceneSampler
from .data.stored_pairs import stored_source
from .data.texture_atlas import Atlas
from .stereo.loss import stereo_loss
from .stereo.network import RowStereo, StereoConfig


class StereoTraining(Training[PairBatch]):
    """Of a variant that matches along rows and filters the cost."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.config = StereoConfig.load(arguments.variant)
        super().__init__(arguments, lambda: RowStereo(self.config))
        self.network.to(memory_format=torch.channels_last)

    def loss(self, batch: PairBatch) -> tuple[Tensor, dict[str, float]]:
        batch = replace(batch, left=normalize(batch.left), right=normalize(batch.right))
        if self.arguments.halve:
            batch = batch.halved()
        left, right = batch.left, batch.right
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.network.infer(left, right)
        loss, parts = stereo_loss(output, batch, self.config.max_disparity_px)
        return loss, parts | _figures(output.disparity_px.detach(), batch)

    def score(self) -> dict[str, Any] | None:
        if self.arguments.validate is None:
            return None
        from .validate import validate

        network = copy.deepcopy(self.average.module).cpu()
        assert isinstance(network, RowStereo)
        return validate(network, self.arguments.validate)


def _figures(disparity_px: Tensor, batch: PairBatch) -> dict[str, float]:
    error = (disparity_px[:, 0] - batch.disparity_px).abs()
    seen = ~batch.occluded
    return {"epe_seen": float(error[seen].mean()), "bad2": float((error > 2).float().mean())}


def open_atlas(arguments: argparse.Namespace) -> Tensor:
    """A prepared atlas, which needs no OpenCV, or one made from the textures."""
    if arguments.atlas is not None:
        return torch.from_numpy(np.load(arguments.atlas)["textures"]).float() / 255
    from .data.textures import build_atlas

    return build_atlas(arguments.textures, arguments.patterns)


def run(arguments: argparse.Namespace) -> None:
    training = StereoTraining(arguments)
    train(training, lambda: pairs(training))


def pairs(training: Training[Any]) -> Iterator[PairBatch]:
    """The stream of the run's options, from the step that it has reached."""
    a = training.arguments
    return batches(*pair_source(a, training.device), training.step, a.steps, a.workers)


def pair_source(arguments: argparse.Namespace, device: torch.device) -> tuple[Any, Any]:
    """What draws scenes and pairs of the options, or reads them; raises ModelError."""
    a = arguments
    if getattr(a, "pairs", None) is not None:
        return stored_source(a.pairs, a.batch, tuple(a.size), device)
    atlas = Atlas(open_atlas(a).to(device))
    shares = {"room_share": a.room_share, "close_share": a.close_share}
    sampler = SceneSampler(tuple(a.size), a.batch, len(atlas), seed=a.seed, **shares)
    return sampler, PairRenderer(atlas, sampler.size, lights=a.lights, clean_share=a.clean_share)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options; raises ModelError for a size that no variant takes."""
    parser = options(__doc__)
    parser.add_argument("--halve", action="store_true", help="learn on images of half the size, as a first stage sees")
    return parsed(parser, words)


def options(description: str | None) -> argparse.ArgumentParser:
    """What every training on stereo pairs can be told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("variant", help="name of a file in model/variants")
    add("--output", type=Path, default=Path("runs/stereo"), help="checkpoint and log go here")
    add("--start", type=Path, help="checkpoint to go on from where the output folder has none")
    add("--grow", action="store_true", help="--start holds the weights of a smaller network, whose parts this one has")
    add("--steps", type=int, default=30000, help="train until this step")
    add("--cooldown", type=int, default=12000, help="steps over which the rate falls to zero at the end")
    add("--warmup", type=int, default=300, help="steps over which the rate rises")
    add("--rate", type=float, default=2e-3, help="learning rate of AdamW")
    add("--muon-rate", type=float, default=0.01, help="learning rate of Muon for convolutions; 0: AdamW for all")
    add("--decay", type=float, default=1e-2, help="weight decay")
    add("--bf16", action=argparse.BooleanOptionalAction, help="convolutions in bfloat16; not given: on a GPU alone")
    add("--workers", type=int, default=1, help="processes that make pairs (CPU) or scenes (GPU)")
    add("--threads", type=int, default=1, help="threads of the training process")
    add("--validate", type=Path, help="index of real pairs to score now and then (needs roma-device installed)")
    add("--validate-every", type=int, default=1000, help="steps")
    add("--log-every", type=int, default=50, help="steps")
    add("--save-every", type=int, default=250, help="steps")
    add("--pairs", type=Path, help="pairs written by python -m model.write_pairs, in place of those made on the way")
    add_pair_options(parser)
    return parser


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """What decides on the pairs."""
    add = parser.add_argument
    add("--textures", type=Path, help="folder of natural images (*.jpg) to use as textures")
    add("--atlas", type=Path, help="textures prepared by python -m model.data.textures, in place of --textures")
    add("--patterns", type=int, default=64, help="number of procedural textures")
    add("--batch", type=int, default=4, help="pairs per step")
    add("--size", type=int, nargs=2, default=(448, 256), metavar=("W", "H"), help="px, multiples of 32")
    add("--lights", type=int, default=1, help="in how many each rendered pair and its mirror image are photographed")
    add("--clean-share", type=float, default=0.0, help="pairs seen by two equal cameras in good light")
    add("--room-share", type=float, default=0.0, help="scenes that are furnished rooms")
    add("--close-share", type=float, default=0.0, help="other scenes that end close by")
    add("--seed", type=int, default=0, help="of weights and pairs")


def parsed(parser: argparse.ArgumentParser, words: list[str] | None) -> argparse.Namespace:
    """``words`` by ``parser``; raises ModelError for a size that no variant takes."""
    arguments = parser.parse_args(words)
    if any(side < 32 or side % 32 for side in arguments.size):
        width, height = arguments.size
        raise ModelError(f"--size {width} {height}: both must be multiples of 32", exit_code=os.EX_USAGE)
    return arguments


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
