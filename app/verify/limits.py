"""How far an engine may be off in ``verify``: by precision, by task, and by what a graph is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from roma_device.runtime.card import Task


@dataclass(frozen=True, slots=True)
class VerifyLimits:
    """What still passes. The defaults let rounding to 16 bits pass, and a broken network not."""

    min_cosine: float = 0.99  # of every output; of a two-view model's certainty as a probability
    max_mean_px: float = 0.25  # mean effect on the disparity, or on where matches lie
    max_over_1px: float = 0.05  # share of pixels off by more than 1 px


@dataclass(frozen=True, slots=True)
class LimitChoice:
    """Limits that the user chose; None: those for the precision that the engine runs in."""

    min_cosine: float | None = None
    max_mean_px: float | None = None
    max_over_1px: float | None = None

    def limits(self, precision: str, task: Task, *, is_refined: bool = False) -> VerifyLimits:
        """``precision`` of a host engine, in the words of its facts; "" for others.

        ``is_refined``: of a graph whose disparities a later one refines.
        """
        chosen = {key: value for key, value in asdict(self).items() if value is not None}
        usual = REFINED_LIMITS if is_refined else VerifyLimits()
        return replace(INT8_LIMITS[task] if precision == "int8" else usual, **chosen)


REFINED_LIMITS = VerifyLimits(max_mean_px=0.4)
"""Of a graph with others behind it, which mend most of its errors: as ``mixed`` on a chip the first is off by 0.20
to 0.23 px, and bad-1 of the whole is 1.4 % worse; all in 8 bits by 0.64 px, and that of the whole is 12 % worse."""


INT8_LIMITS: Mapping[Task, VerifyLimits] = {
    "stereo": VerifyLimits(0.945, 0.62, 0.06),
    "two_view": VerifyLimits(),
}
"""Of a host engine in 8 bits: the bundled files are off by up to 0.966, 0.41 px and 3.7 % (the first graph of
stereo-large, on images that are enlarged), and by 0.995, 0.16 px and 0.7 %; half as much more is allowed."""
