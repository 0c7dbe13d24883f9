"""Train a stereo variant on synthetic pairs: ``python -m model.train stereo --textures DIR``.

Resumes from the newest checkpoint in its output folder. The learning rate warms up, stays, and falls
linearly to zero over the last ``--cooldown`` steps, so a run can be prolonged from any checkpoint
that was saved before its cooldown.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .atlas import Atlas
from .checkpoint import load_weights, read_checkpoint
from .command import run_tool
from .losses import stereo_loss
from .network import RowStereo, StereoConfig
from .optimizer import optimizers
from .stream import batches
from .synthetic import PairBatch, PairRenderer, SceneSampler

CHECKPOINT = "checkpoint.pt"
Tensors = tuple[Tensor, ...] | list[Tensor]
AVERAGE_DECAY = 0.998
VARIANCE_FLOOR = 1e-5
"""Added to the variance, as roma_device.runtime.preprocess does on the device."""


def normalize(image: Tensor) -> Tensor:
    """Mean 0 and variance 1 per image: (B, 1, H, W), any scale, as on the device for [0, 1] grey."""
    variance, mean = torch.var_mean(image, dim=(2, 3), keepdim=True, correction=0)
    return (image - mean) / torch.sqrt(variance + VARIANCE_FLOOR)


class Trainer:
    """Network, optimizer and moving average, with the step that they have reached."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.step = arguments, 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(arguments.seed)
        self.config = StereoConfig.load(arguments.variant)
        self.network = RowStereo(self.config).to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizers = optimizers(self.network, arguments.rate, arguments.muon_rate, arguments.decay)
        self.full_rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.average = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)

    def pace(self) -> float:
        """Share of the full learning rates: rises, stays, and falls at the end."""
        a = self.arguments
        warm, left = (self.step + 1) / a.warmup, (a.steps - self.step) / max(a.cooldown, 1)
        return float(min(1.0, warm, max(left, 0.0)))

    def train_step(self, batch: PairBatch) -> dict[str, float]:
        for optimizer, rate in zip(self.optimizers, self.full_rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.pace()
        left, right = normalize(batch.left), normalize(batch.right)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.arguments.bf16):
            output = self.network.infer(left, right)
        loss, parts = stereo_loss(output, batch, self.config.max_disparity_px)
        self.network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return parts | _figures(output.disparity_px.detach(), batch)

    def score(self, index: Path) -> dict[str, Any]:
        """What the averaged weights reach on the real pairs of ``index``."""
        from .validate import validate

        network = copy.deepcopy(self.average.module).cpu()
        assert isinstance(network, RowStereo)
        return validate(network, index)

    def save(self, path: Path) -> None:
        state = {
            "step": self.step,
            "variant": self.arguments.variant,
            "network": self.network.state_dict(),
            "average": self.average.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint; a slim one has neither average nor optimizer, which then start anew."""
        state = read_checkpoint(path, self.device)
        load_weights(self.network, state["network"], path)
        load_weights(self.average.module, state.get("average", state["network"]), path)
        self.average.n_averaged.fill_(int(state["step"]))
        for optimizer, kept in zip(self.optimizers, state.get("optimizers", ()), strict=False):
            optimizer.load_state_dict(kept)
        self.step = int(state["step"])


@torch.no_grad()
def _average(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
    """Exponential average over about 500 steps, over fewer at the start so that it forgets the random weights."""
    decay = min(AVERAGE_DECAY, float(count) / (float(count) + 10))
    for mean, value in zip(averaged, current, strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _figures(disparity_px: Tensor, batch: PairBatch) -> dict[str, float]:
    error = (disparity_px[:, 0] - batch.disparity_px).abs()
    seen = ~batch.occluded
    return {"epe_seen": float(error[seen].mean()), "bad2": float((error > 2).float().mean())}


def open_atlas(arguments: argparse.Namespace) -> Tensor:
    """A prepared atlas, which needs no OpenCV, or one made from the textures."""
    if arguments.atlas is not None:
        return torch.from_numpy(np.load(arguments.atlas)["textures"]).float() / 255
    from .textures import build_atlas

    return build_atlas(arguments.textures, arguments.patterns)


def run(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments)
    checkpoint = folder / CHECKPOINT if (folder / CHECKPOINT).exists() else arguments.start
    if checkpoint is not None:
        trainer.resume(checkpoint)
    atlas = Atlas(open_atlas(arguments).to(trainer.device))
    sampler = SceneSampler(tuple(arguments.size), arguments.batch, len(atlas), seed=arguments.seed)
    renderer = PairRenderer(atlas, sampler.size)
    sums: dict[str, float] = {}
    started = time.monotonic()
    for batch in batches(sampler, renderer, trainer.step, arguments.steps, arguments.workers):
        for name, value in trainer.train_step(batch.to(trainer.device)).items():
            sums[name] = sums.get(name, 0.0) + value
        if trainer.step % arguments.log_every == 0:
            means = {name: round(value / arguments.log_every, 4) for name, value in sums.items()}
            seconds, started, sums = time.monotonic() - started, time.monotonic(), {}
            _log(
                folder, {"step": trainer.step, **means, "seconds": round(seconds, 1), "pace": round(trainer.pace(), 4)}
            )
        if trainer.step % arguments.save_every == 0 or trainer.step == arguments.steps:
            trainer.save(folder / CHECKPOINT)
        if arguments.validate and (trainer.step % arguments.validate_every == 0 or trainer.step == arguments.steps):
            _log(folder, {"step": trainer.step, "real": trainer.score(arguments.validate)})


def _log(folder: Path, record: dict[str, Any]) -> None:
    line = json.dumps(record)
    print(line, flush=True)
    with (folder / "log.jsonl").open("a") as file:
        file.write(line + "\n")


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("variant", help="name of a file in model/variants")
    add("--output", type=Path, default=Path("runs/stereo"), help="checkpoint and log go here")
    add("--start", type=Path, help="checkpoint to go on from where the output folder has none")
    add("--textures", type=Path, help="folder of natural images (*.jpg) to use as textures")
    add("--atlas", type=Path, help="textures prepared by python -m model.textures, in place of --textures")
    add("--patterns", type=int, default=160, help="number of procedural textures")
    add("--steps", type=int, default=10000, help="train until this step")
    add("--cooldown", type=int, default=2000, help="steps over which the rate falls to zero at the end")
    add("--warmup", type=int, default=300, help="steps over which the rate rises")
    add("--rate", type=float, default=2e-3, help="learning rate of AdamW")
    add("--muon-rate", type=float, default=0.01, help="learning rate of Muon for convolutions; 0: AdamW for all")
    add("--decay", type=float, default=1e-2, help="weight decay")
    add("--batch", type=int, default=8, help="pairs per step")
    add("--size", type=int, nargs=2, default=(384, 192), metavar=("W", "H"), help="px, multiples of 32")
    add("--bf16", action="store_true", help="compute convolutions in bfloat16")
    add("--workers", type=int, default=1, help="processes that make pairs (CPU) or scenes (GPU)")
    add("--threads", type=int, default=1, help="threads of the training process")
    add("--validate", type=Path, help="index of real pairs to score now and then (needs roma-device installed)")
    add("--validate-every", type=int, default=1000, help="steps")
    add("--seed", type=int, default=0, help="of weights and pairs")
    add("--log-every", type=int, default=50, help="steps")
    add("--save-every", type=int, default=250, help="steps")
    return parser.parse_args(words)


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
