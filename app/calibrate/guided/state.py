"""View model of a guided capture: what it shows at one moment, on whatever screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roma_device.calibration.guided.coverage import distance_counts, tilt_counts
from roma_device.calibration.guided.guide import CaptureGuide, Judgement


@dataclass(frozen=True, slots=True)
class CaptureState:
    """Plain values, so that screens need to know nothing else."""

    board: str
    folder: str
    taken: int
    wanted: int
    status: str  # what is seen now, or why the pair was refused
    accepted: bool
    advice: str
    coverage: tuple[float, float]
    grids: tuple[list[list[int]], list[list[int]]]  # views per cell, rows of columns
    tilts: dict[str, int]
    distances: dict[str, int]
    now: tuple[float, float] | None  # where the board is in the left image, as shares of width and height

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def state_of(guide: CaptureGuide, folder: str, judgement: Judgement) -> CaptureState:
    """The state after a judgement (and after its view was added, where it was accepted)."""
    look = judgement.look
    return CaptureState(
        guide.board.spec,
        folder,
        len(guide.views),
        guide.wanted,
        "taken: move on to another view" if judgement.accepted else judgement.reason,
        judgement.accepted,
        guide.advice(),
        guide.coverage(),
        (guide.grid(0).tolist(), guide.grid(1).tolist()),
        tilt_counts(guide.looks),
        distance_counts(guide.looks),
        None if look is None else (look.x, look.y),
    )
