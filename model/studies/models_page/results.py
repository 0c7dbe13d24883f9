"""What the ablation found, as the tables need it: means over few runs, and how sure they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model.studies.ablation.plan import Pairs
from model.studies.ablation.records import Record
from model.tiny_roma.config import TinyRomaConfig

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t below which 97.5 % lie, for 1 to 10 degrees of freedom; for more, the last one is on the safe side."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Of independent runs."""

    value: float
    half: float  # of the 95 % interval by Student's t; infinite for a single run

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return abs(self.value) > self.half


def mean_of(values: Sequence[float]) -> Mean:
    """Of at least one value."""
    count = len(values)
    if count < 2:
        return Mean(values[0], math.inf)
    quantile = T_975[min(count - 1, len(T_975)) - 1]
    return Mean(statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(count))


def mean_difference(values: Sequence[float], baseline: Sequence[float]) -> Mean:
    """Of runs that share what they are paired by, in the same order: a seed, and with it pairs and weights."""
    return mean_of([value - base for value, base in zip(values, baseline, strict=True)])


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from."""

    variant: str
    pairs: Pairs
    condition: str  # a reading, or a misalignment


class Results:
    """Records by variant, pairs and seed."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._scores = {(one.variant, one.pairs, one.seed): one.scores for one in records}

    def trained(self, pairs: Pairs) -> list[str]:
        """Variants that learned from these pairs."""
        return sorted({variant for variant, kind, _ in self._scores if kind == pairs})

    def seeds(self, source: Source) -> list[int]:
        """With which it was trained."""
        return sorted(
            seed
            for (variant, pairs, seed), scores in self._scores.items()
            if (variant, pairs) == (source.variant, source.pairs) and source.condition in scores
        )

    def mean(self, source: Source, figure: str) -> Mean | None:
        """Over all seeds; None where it was not trained."""
        values = self._values(source, figure, self.seeds(source))
        return mean_of(values) if values else None

    def difference(self, source: Source, baseline: Source, figure: str) -> Mean | None:
        """Over the seeds that both have."""
        seeds = [seed for seed in self.seeds(source) if seed in self.seeds(baseline)]
        if not seeds:
            return None
        return mean_difference(self._values(source, figure, seeds), self._values(baseline, figure, seeds))

    def _values(self, source: Source, figure: str, seeds: list[int]) -> list[float]:
        return [self._scores[source.variant, source.pairs, seed][source.condition][figure] for seed in seeds]

    def accuracy_source(self, variant: str) -> Source | None:
        """Whose figures are those of ``variant``: its own, or those of one that equals it but for rounding."""
        config = TinyRomaConfig.load(variant)
        pairs: Pairs = "stereo" if config.stereo else "two_view"
        for trained in sorted(self.trained(pairs), key=lambda name: name != variant):
            if _learned(TinyRomaConfig.load(trained)) == _learned(config):
                reading = "released position" if config.position == "released" else "as trained"
                return Source(trained, pairs, "0 px" if config.stereo else reading)
        return None


def _learned(config: TinyRomaConfig) -> TinyRomaConfig:
    """What matters to training: parts that are equal (see the table of equivalences) under one name each."""
    return replace(
        config,
        normalization="instance" if config.normalization in ("batch", "preprocess") else config.normalization,
        position="exact",  # training takes the expectation whatever the variant says
        upsampling="resize" if config.upsampling == "fixed" else config.upsampling,
        sampling="grid_sample",
        fine="whole" if config.fine == "split" else config.fine,
        prior=(),
    )
