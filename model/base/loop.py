"""Training loop of every run here: steps, learning-rate schedule, averaged weights, checkpoints, log."""

from __future__ import annotations

import argparse
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from .checkpoint import grown, load_weights, read_checkpoint
from .optimizer import optimizers

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
AVERAGE_DECAY = 0.998
GRADIENT_LIMIT = 5.0
VARIANCE_FLOOR = 1e-5
"""Added to the variance, as roma_device.runtime.preprocess does on the device."""
Tensors = tuple[Tensor, ...] | list[Tensor]


class OnDevice(Protocol):
    """A batch that can go to the device of the network."""

    def to(self, device: torch.device) -> Any: ...


Batch = TypeVar("Batch", bound=OnDevice)


def normalize(image: Tensor) -> Tensor:
    """Mean 0 and variance 1 per image: (B, 1, H, W), any scale, as on the device for [0, 1] grey."""
    variance, mean = torch.var_mean(image, dim=(2, 3), keepdim=True, correction=0)
    return (image - mean) / torch.sqrt(variance + VARIANCE_FLOOR)


class Training(ABC, Generic[Batch]):
    """Network, optimizers and moving average, with the step that they have reached."""

    def __init__(self, arguments: argparse.Namespace, make_network: Callable[[], nn.Module]) -> None:
        self.arguments, self.step = arguments, 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.bf16 = self.device.type == "cuda" if arguments.bf16 is None else bool(arguments.bf16)
        torch.manual_seed(arguments.seed)
        self.network: Any = make_network().to(self.device)
        self.optimizers = optimizers(self.network, arguments.rate, arguments.muon_rate, arguments.decay)
        self.full_rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.average = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Training loss, and figures for the log."""

    def score(self) -> dict[str, Any] | None:
        """What the averaged weights reach on real pairs; None: not asked for."""
        return None

    def learn(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns figures for the log."""
        for optimizer, rate in zip(self.optimizers, self.full_rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.pace()
        loss, figures = self.loss(batch)
        self.network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return figures

    def pace(self) -> float:
        """Learning-rate schedule, as a share of the full rates: rises, stays, and falls at the end."""
        a = self.arguments
        warm, left = (self.step + 1) / a.warmup, (a.steps - self.step) / max(a.cooldown, 1)
        return float(min(1.0, warm, max(left, 0.0)))

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

    def resume(self, path: Path, grow: bool = False) -> None:
        """Go on from a checkpoint; a slim one has neither average nor optimizers, which then start anew.

        ``grow`` takes the weights of a smaller network and leaves its average and optimizers.
        """
        state = read_checkpoint(path, self.device)
        if grow:
            weights = grown(self.network, state.get("average", state["network"]))
            state = {"step": state["step"], "network": weights}
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


def train(training: Training[Batch], batches: Callable[[], Iterator[Batch]]) -> None:
    """Go on from the newest checkpoint in the output folder, or from ``--start``, to the last step.

    ``batches`` opens the stream at the step that ``training`` has reached.
    """
    a, folder = training.arguments, training.arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(a.threads)
    if (folder / CHECKPOINT).exists():
        training.resume(folder / CHECKPOINT)
    elif a.start is not None:
        training.resume(a.start, a.grow)
    log = _Log(folder, a.log_every)
    for batch in batches():
        log.add(training, training.learn(batch.to(training.device)))
        is_last = training.step == a.steps
        if training.step % a.save_every == 0 or is_last:
            training.save(folder / CHECKPOINT)
        if (training.step % a.validate_every == 0 or is_last) and (real := training.score()) is not None:
            log.write({"step": training.step, "real": real})


class _Log:
    """Means over every so many steps, to the terminal and to ``LOG``."""

    def __init__(self, folder: Path, every: int) -> None:
        self._folder, self._every = folder, every
        self._figures: list[dict[str, float]] = []
        self._started_s = time.monotonic()

    def add(self, training: Training[Any], figures: dict[str, float]) -> None:
        self._figures.append(figures)
        if training.step % self._every:
            return
        means = {name: round(sum(record[name] for record in self._figures) / len(self._figures), 4) for name in figures}
        seconds, pace = round(time.monotonic() - self._started_s, 1), round(training.pace(), 4)
        self.write({"step": training.step, **means, "seconds": seconds, "pace": pace})
        self._figures, self._started_s = [], time.monotonic()

    def write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record)
        print(line, flush=True)
        with (self._folder / LOG).open("a") as file:
            file.write(line + "\n")
