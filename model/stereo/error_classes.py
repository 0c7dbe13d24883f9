"""Error analysis of a disparity map: by where the pixel lies, by size, and by the phase within a cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

EDGE_STEP_PX, EDGE_REACH_PX = 3.0, 4
"""A step of the disparity that is an edge, and how far from it pixels belong to it."""
SIZES_PX = (1, 2, 4, 8)
"""Bounds of the sizes of errors."""
PHASES = 8
CELL_PX = 4.0
"""Period of the disparity over which the mean error is looked at."""
GROSS_PX = 4.0
"""Errors of surfaces above this say nothing of precision."""
SURE, RIGHT_PX = 0.9, 2.0


def classes(disparity_px: Map, is_hidden: Mask) -> dict[str, Mask]:
    """Each pixel in one of: border (the match lies outside the right image), hidden, edge, surface."""
    border = np.arange(disparity_px.shape[1]) - disparity_px < -0.5
    hidden = is_hidden & ~border
    edge = _near_step(disparity_px) & ~border & ~hidden
    return {"border": border, "hidden": hidden, "edge": edge, "surface": ~(border | hidden | edge)}


def _near_step(disparity_px: Map) -> Mask:
    step = np.zeros(disparity_px.shape, np.uint8)
    step[:, 1:] |= np.abs(np.diff(disparity_px, axis=1)) > EDGE_STEP_PX
    step[1:] |= np.abs(np.diff(disparity_px, axis=0)) > EDGE_STEP_PX
    side = 2 * EDGE_REACH_PX + 1
    return np.asarray(cv2.dilate(step, np.ones((side, side), np.uint8)) > 0)


@dataclass(slots=True)
class Score:
    """Figures of one matcher, summed pair by pair; shares are of all pixels."""

    pairs: int = 0
    bad1: dict[str, float] = field(default_factory=dict)  # of each class
    bad2: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    epe_px: float = 0.0
    spread_px: float = 0.0  # mean size of errors on surfaces, gross ones left out
    phase_sum: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((PHASES, 2)))
    sure: float = 0.0  # share of the pixels
    sure_right: float = 0.0  # share of all pixels that are sure and right

    def add(self, found_px: Map, certainty: Map | None, truth_px: Map, is_hidden: Mask) -> None:
        """One pair; every pair counts the same."""
        error, parts = np.abs(found_px - truth_px), classes(truth_px, is_hidden)
        self.pairs += 1
        self.epe_px += float(error.mean())
        for name, mask in parts.items():
            self.bad1[name] = self.bad1.get(name, 0) + float((mask & (error > 1)).mean())
            self.bad2[name] = self.bad2.get(name, 0) + float((mask & (error > 2)).mean())
        for low, high in zip(SIZES_PX, (*SIZES_PX[1:], np.inf), strict=True):
            name = f"{low}-{high:g} px"
            self.sizes[name] = self.sizes.get(name, 0) + float(((error > low) & (error <= high)).mean())
        fine = parts["surface"] & (error < GROSS_PX)
        self.spread_px += float(error[fine].mean())
        self._add_phases((found_px - truth_px)[fine], truth_px[fine])
        if certainty is not None:
            is_sure = certainty > SURE
            self.sure += float(is_sure.mean())
            self.sure_right += float((is_sure & (error < RIGHT_PX)).mean())

    def _add_phases(self, error_px: Map, truth_px: Map) -> None:
        phase = (truth_px % CELL_PX / CELL_PX * PHASES).astype(int) % PHASES
        self.phase_sum[:, 0] += np.bincount(phase, error_px, PHASES)
        self.phase_sum[:, 1] += np.bincount(phase, minlength=PHASES)

    def figures(self) -> dict[str, float]:
        """Means over the pairs, shares in per cent."""
        share = 100 / self.pairs
        result = {"bad1": share * sum(self.bad1.values()), "bad2": share * sum(self.bad2.values())}
        result |= {"epe_px": self.epe_px / self.pairs, "spread_px": self.spread_px / self.pairs}
        result["phase_px"] = self.phase_bias_px()
        result |= {f"{name} bad1": share * value for name, value in self.bad1.items()}
        result |= {f"{name} bad2": share * value for name, value in self.bad2.items()}
        result |= {name: share * value for name, value in self.sizes.items()}
        if self.sure:
            result |= {"sure": share * self.sure, "right of sure": 100 * self.sure_right / self.sure}
        return {name: round(value, 3) for name, value in result.items()}

    def phase_bias_px(self) -> float:
        """Largest deviation of a phase's mean error from that of all phases."""
        means = self.phase_sum[:, 0] / np.maximum(self.phase_sum[:, 1], 1)
        return float(np.abs(means - means.mean()).max())


def inconsistent(left_px: Map, right_px: Map, bounds_px: Iterable[float]) -> dict[str, float]:
    """Share of the pixels, in per cent, whose match in the right image does not lead back to them.

    ``right_px`` (H, W) is the disparity of the right image's pixels; pixels whose match lies outside are left out.
    """
    width = left_px.shape[1]
    column = np.arange(width) - left_px
    there = np.take_along_axis(right_px, np.clip(column.round().astype(int), 0, width - 1), axis=1)
    inside = column >= 0
    return {f"off by {bound:g}": 100 * float((np.abs(there - left_px) > bound)[inside].mean()) for bound in bounds_px}
