"""Train a variant of TinyRoMa: ``python -m model.train_two_view tiny_preprocess --textures DIR``.

Options, checkpoints and log are those of ``model.train``; the same command goes on where it stopped. Variants that
match whole images learn from moving cameras, those that match along rows from rectified pairs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .atlas import Atlas
from .optimizer import optimizers
from .stream import batches
from .synthetic import PairRenderer, SceneSampler
from .tiny_roma.config import TinyRomaConfig, names
from .tiny_roma.network import Stage, TinyRoma
from .train import CHECKPOINT, Trainer, _average, _log, normalize, open_atlas
from .train import parse as parse_options
from .two_view import TwoViewBatch, TwoViewRenderer, TwoViewSampler, from_stereo
from .two_view_loss import at_cells, two_view_loss

GOOD_PX = 3.0


class TwoViewTrainer(Trainer):
    """Network, optimizer and moving average, with the step that they have reached."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.step = arguments, 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(arguments.seed)
        self.tiny = TinyRomaConfig.load(arguments.variant)
        self.network: Any = TinyRoma(self.tiny).to(self.device)
        self.optimizers = optimizers(self.network, arguments.rate, arguments.muon_rate, arguments.decay)
        self.full_rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.average = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)

    def learn(self, batch: TwoViewBatch) -> dict[str, float]:
        """One step; returns figures for the log."""
        for optimizer, rate in zip(self.optimizers, self.full_rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.pace()
        a, b = (normalize(one) if self.tiny.normalization == "preprocess" else one for one in (batch.a, batch.b))
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.arguments.bf16):
            stages = self.network.infer(a, b)
        loss, parts = two_view_loss(stages, batch)
        self.network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return {"loss": float(loss.detach())} | parts | _figures(stages[-1], batch)


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


def pairs(trainer: TwoViewTrainer, atlas: Atlas) -> Iterator[TwoViewBatch]:
    """The stream of the trainer's options, from the step that it has reached."""
    a, size = trainer.arguments, tuple(trainer.arguments.size)
    if trainer.tiny.stereo:
        stereo = SceneSampler(size, a.batch, len(atlas), seed=a.seed)
        rendered = batches(stereo, PairRenderer(atlas, size), trainer.step, a.steps, a.workers)
        return (from_stereo(one) for one in rendered)
    sampler = TwoViewSampler(size, a.batch, len(atlas), seed=a.seed)
    return batches(sampler, TwoViewRenderer(atlas, size), trainer.step, a.steps, a.workers)


def run(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    trainer = TwoViewTrainer(arguments)
    checkpoint = folder / CHECKPOINT if (folder / CHECKPOINT).exists() else arguments.start
    if checkpoint is not None:
        trainer.resume(checkpoint)
    sums: dict[str, float] = {}
    started = time.monotonic()
    for batch in pairs(trainer, Atlas(open_atlas(arguments).to(trainer.device))):
        for name, value in trainer.learn(batch.to(trainer.device)).items():
            sums[name] = sums.get(name, 0.0) + value
        if trainer.step % arguments.log_every == 0:
            means = {name: round(value / arguments.log_every, 4) for name, value in sums.items()}
            seconds, started, sums = time.monotonic() - started, time.monotonic(), {}
            _log(folder, {"step": trainer.step, **means, "seconds": round(seconds, 1)})
        if trainer.step % arguments.save_every == 0 or trainer.step == arguments.steps:
            trainer.save(folder / CHECKPOINT)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options of ``model.train``, with a folder for each variant."""
    given = sys.argv[1:] if words is None else words
    arguments = parse_options(given)
    if not any(word.startswith("--output") for word in given):
        arguments.output = Path("runs") / arguments.variant
    if arguments.variant not in names():
        raise SystemExit(f"train_two_view: unknown variant {arguments.variant!r}; known: {', '.join(names())}")
    if arguments.validate is not None:
        raise SystemExit("train_two_view: --validate scores the stereo network alone; export and evaluate instead")
    return arguments


if __name__ == "__main__":
    run(parse())
