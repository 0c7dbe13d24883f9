"""The endless stream of training batches, made where it is cheapest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch.utils.data import DataLoader, Dataset

from .synthetic import PairBatch, PairRenderer, SceneBatch, SceneSampler

AHEAD = 4
"""Batches that each worker process keeps ready."""


@dataclass(frozen=True, slots=True)
class _Scenes(Dataset[SceneBatch]):
    """Batches ``first``, ``first + 1``, ... for worker processes."""

    sampler: SceneSampler
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> SceneBatch:
        return self.sampler(self.first + index)


@dataclass(frozen=True, slots=True)
class _Pairs(Dataset[PairBatch]):
    """The same, rendered in the worker process."""

    scenes: _Scenes
    renderer: PairRenderer

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> PairBatch:
        return self.renderer(self.scenes[index])


def batches(sampler: SceneSampler, renderer: PairRenderer, first: int, last: int, workers: int) -> Iterator[PairBatch]:
    """Batches ``first`` to ``last - 1`` of the stream, in order and the same whatever makes them.

    On a CPU the worker processes also render; with a GPU they only draw up scenes, which the GPU
    then renders a whole batch at a time.
    """
    scenes = _Scenes(sampler, first, last)
    ahead = AHEAD if workers else None
    if renderer.atlas.device.type == "cuda":
        loader = DataLoader(scenes, batch_size=None, num_workers=workers, prefetch_factor=ahead)
        return (renderer(batch) for batch in loader)
    return iter(DataLoader(_Pairs(scenes, renderer), batch_size=None, num_workers=workers, prefetch_factor=ahead))
