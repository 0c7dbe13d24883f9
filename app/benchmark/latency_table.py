"""Latencies of stages as the NPU vendor's benchmark tools print them, so that both read alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

FULL_FROM_REPEAT = 100
"""Number of runs from which on the tools print quantiles; fewer say too little about the tail."""

_SHORT_RULE = "  " + "-" * 54
_FULL_RULE = "  " + "-" * 75


@dataclass(frozen=True, slots=True)
class Latency:
    """Figures over the runs of one stage."""

    repeat: int
    min_ms: float
    max_ms: float
    avg_ms: float
    median_ms: float
    p5_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Latency:
        """From at least one time; raises ValueError for none.

        Quantiles are the vendor's: ``sorted[n * percent // 100]``, the median ``sorted[n // 2]``,
        never a value in between.
        """
        if not times_ms:
            raise ValueError("there is no time to sum up")
        ranked, n = sorted(times_ms), len(times_ms)
        p5, p90, p95, p99 = (ranked[n * percent // 100] for percent in (5, 90, 95, 99))
        return cls(n, ranked[0], ranked[-1], sum(ranked) / n, ranked[n // 2], p5, p90, p95, p99)

    def as_text(self) -> str:
        """Three figures between rules, or eight from FULL_FROM_REPEAT runs on."""
        if self.repeat < FULL_FROM_REPEAT:
            return "\n".join([_SHORT_RULE, self._extremes(), _SHORT_RULE])
        first = f"{self._extremes()}  median = {_ms(self.median_ms)}"
        return "\n".join([_FULL_RULE, first, self._tail(), _FULL_RULE])

    def _extremes(self) -> str:
        return f"  min = {_ms(self.min_ms)}   max = {_ms(self.max_ms)}   avg = {_ms(self.avg_ms)}"

    def _tail(self) -> str:
        return (
            f"   5% = {_ms(self.p5_ms)}   90% = {_ms(self.p90_ms)}"
            f"   95% = {_ms(self.p95_ms)}     99% = {_ms(self.p99_ms)}"
        )


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """One benchmark: what ran, and the latency of each stage in the order in which they run."""

    title: str
    header: Mapping[str, str]  # "model" -> "stereo", in the order of printing
    stages: Mapping[str, Latency]

    @classmethod
    def of(cls, title: str, header: Mapping[str, str], stages_ms: Mapping[str, Sequence[float]]) -> LatencyTable:
        """From the times of each stage; raises ValueError for a stage without any."""
        return cls(title, header, {name: Latency.of(times_ms) for name, times_ms in stages_ms.items()})

    def as_text(self) -> str:
        """Header lines with the colons below each other, then a block per stage under its name."""
        lines = [f"  {self.title}:", *(f"{key:>13}: {value}" for key, value in self.header.items())]
        for name, latency in self.stages.items():
            lines += [f"  {name}:", latency.as_text()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Plain values for json.dumps, times in ms rounded to whole microseconds."""
        stages = {name: _rounded(latency) for name, latency in self.stages.items()}
        return {"title": self.title, "header": dict(self.header), "stages": stages}


def _ms(value: float) -> str:
    return f"{value:7.3f} ms"


def _rounded(latency: Latency) -> dict[str, float]:
    return {key: round(value, 3) for key, value in asdict(latency).items()}
