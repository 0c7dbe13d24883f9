"""The pairs that trials learn from and are scored on, each rendered once for all of them."""

from __future__ import annotations

from collections.abc import Iterator

from model.data.loader import batches
from model.data.stereo_pairs import PairRenderer, SceneSampler
from model.data.texture_atlas import Atlas
from model.data.two_view_pairs import TwoViewBatch, TwoViewRenderer, from_stereo
from model.data.two_view_scenes import TwoViewSampler

from .plan import HELD_OUT_SEED, SHIFTS_PX, Budget, Pairs


class SharedPairs:
    """A stream of batches, kept in memory for the next network that learns from it."""

    def __init__(self, stream: Iterator[TwoViewBatch]) -> None:
        self._stream = stream
        self._kept: list[TwoViewBatch] = []

    def between(self, first: int, last: int) -> Iterator[TwoViewBatch]:
        """Batches ``first`` to ``last - 1``."""
        for index in range(first, last):
            while len(self._kept) <= index:
                self._kept.append(next(self._stream))
            yield self._kept[index]


def training_stream(pairs: Pairs, atlas: Atlas, budget: Budget, seed: int) -> Iterator[TwoViewBatch]:
    """The batches of all steps; half of the rectified pairs are out of line, by up to the budget's shift."""
    if pairs == "two_view":
        sampler = TwoViewSampler(budget.size, budget.batch, len(atlas), seed=seed)
        return batches(sampler, TwoViewRenderer(atlas, budget.size), 0, budget.steps, workers=0)
    scenes = SceneSampler(budget.size, budget.batch, len(atlas), seed=seed)
    renderer = PairRenderer(atlas, budget.size, max_shift_px=budget.max_shift_px)
    return map(from_stereo, batches(scenes, renderer, 0, budget.steps, workers=0))


class HeldOutPairs:
    """Pairs of a stream that nothing is trained with; rendered when they are first asked for."""

    def __init__(self, atlas: Atlas, budget: Budget) -> None:
        self._atlas, self._budget = atlas, budget
        self._kept: dict[Pairs, dict[str, list[TwoViewBatch]]] = {}

    def of(self, pairs: Pairs) -> dict[str, list[TwoViewBatch]]:
        """Batches by condition: "moved" for two views; for rectified pairs "0 px", "1 px" and so on, by which the
        same scenes are out of line."""
        if pairs not in self._kept:
            self._kept[pairs] = {"moved": self._moved()} if pairs == "two_view" else self._shifted()
        return self._kept[pairs]

    def _moved(self) -> list[TwoViewBatch]:
        size = self._budget.size
        sampler = TwoViewSampler(size, self._budget.batch, len(self._atlas), seed=HELD_OUT_SEED)
        renderer = TwoViewRenderer(self._atlas, size)
        return [renderer(sampler(index)) for index in self._indices()]

    def _shifted(self) -> dict[str, list[TwoViewBatch]]:
        size = self._budget.size
        sampler = SceneSampler(size, self._budget.batch, len(self._atlas), seed=HELD_OUT_SEED)
        scenes = [sampler(index) for index in self._indices()]
        renderers = {f"{shift} px": PairRenderer(self._atlas, size, exact_shift_px=shift) for shift in SHIFTS_PX}
        return {name: [from_stereo(renderer(one)) for one in scenes] for name, renderer in renderers.items()}

    def _indices(self) -> range:
        return range(-(-self._budget.held_out // self._budget.batch))
