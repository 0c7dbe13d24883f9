"""Data loader: the endless stream of training batches, made where it is cheapest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from torch.utils.data import DataLoader, Dataset

from .texture_atlas import Atlas

AHEAD = 4
"""What each worker process keeps ready."""

Scenes = TypeVar("Scenes")
Batch = TypeVar("Batch")
ScenesOut = TypeVar("ScenesOut", covariant=True)
ScenesIn = TypeVar("ScenesIn", contravariant=True)
BatchOut = TypeVar("BatchOut", covariant=True)


class Sampler(Protocol[ScenesOut]):
    """Draws scenes ``index`` of a stream: the same ones on every run."""

    def __call__(self, index: int) -> ScenesOut: ...


class Renderer(Protocol[ScenesIn, BatchOut]):
    """Makes ``batches_per_scenes`` batches of what a sampler drew, on the device of its atlas."""

    @property
    def atlas(self) -> Atlas: ...

    @property
    def batches_per_scenes(self) -> int: ...

    def batches(self, scenes: ScenesIn) -> tuple[BatchOut, ...]: ...


@dataclass(frozen=True, slots=True)
class _Scenes(Dataset[Scenes], Generic[Scenes]):
    """Scenes ``first`` to ``last - 1`` for worker processes."""

    sampler: Sampler[Scenes]
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> Scenes:
        return self.sampler(self.first + index)


@dataclass(frozen=True, slots=True)
class _Rendered(Dataset[tuple[Batch, ...]], Generic[Scenes, Batch]):
    """The same, rendered in the worker process."""

    scenes: _Scenes[Scenes]
    renderer: Renderer[Scenes, Batch]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple[Batch, ...]:
        return self.renderer.batches(self.scenes[index])


def batches(
    sampler: Sampler[Scenes], renderer: Renderer[Scenes, Batch], first: int, last: int, workers: int
) -> Iterator[Batch]:
    """Batches ``first`` to ``last - 1`` of the stream, in order and the same whatever makes them."""
    per_scenes = renderer.batches_per_scenes
    scenes = _Scenes(sampler, first // per_scenes, -(-last // per_scenes))
    return islice(
        chain.from_iterable(_rendered(scenes, renderer, workers)), first % per_scenes, first % per_scenes + last - first
    )


def _rendered(scenes: _Scenes[Scenes], renderer: Renderer[Scenes, Batch], workers: int) -> Iterator[tuple[Batch, ...]]:
    """On a CPU the worker processes also render; with a GPU they only draw up scenes, which the GPU
    then renders a whole batch at a time."""
    ahead = AHEAD if workers else None
    if renderer.atlas.device.type == "cuda":
        loader = DataLoader(scenes, batch_size=None, num_workers=workers, prefetch_factor=ahead)
        return (renderer.batches(drawn) for drawn in loader)
    return iter(DataLoader(_Rendered(scenes, renderer), batch_size=None, num_workers=workers, prefetch_factor=ahead))
