"""Proof by the images: does an obstacle, or the ground behind it, look the same in both?

Where ground has no texture along the row (planks, smooth floors), the disparity of a network bulges, and the bulge
looks like a low obstacle. The images then fit the ground about as well as the bulge. That both hypotheses are
compared is the idea of stereo by inverse perspective mapping (Bertozzi, Broggi 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, IntArray, Mask
from roma_device.calibration.rectify import RectifiedRig

from .grid import Grid, around_cells
from .textures import Textures, in_rows, noise_scale, sampled

PLANE_ERRORS_PX = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""The ground's disparity may be off by so much: of these the one counts that fits best."""

WEAK, MEAN, STRONG = (1.6, 2.2), (1.8, 2.5), (2.0, 3.0)
"""The ground must fit worse than the obstacle by a factor and by grey levels: by WEAK in each of its cells, by MEAN on
average over cells that touch, and by STRONG in one of them."""

SURE, UNSURE = 0.7, (2.0, 5.0)
"""Mean certainty over cells that touch: on bulges it is lower, on obstacles above 0.9. Else the ground must fit much
worse on average: what is hardly seen behind another obstacle is uncertain, too."""

CERTAIN, CERTAIN_CELL, CERTAIN_MEAN = 0.9, (1.4, 1.5), (1.6, 2.0)
"""With such a mean certainty less is asked of a cell, and of the average over cells that touch."""

LEAST_POINTS = 8
"""Fewer points in cells that touch are no obstacle; each counts for its cell and the eight around it."""

CLEAR_PX, CLEAR_CERTAINTY, CLEAR_CELLS = 5.0, 0.93, 4
"""Where the disparity of so many cells differs so much from the ground's and the network is so sure, images without
texture do."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for obstacle points (N,)."""

    excess_px: FloatImage  # disparity beyond that of the ground
    certainty: FloatImage
    measured: FloatImage  # absolute difference of both images with the measured disparity, in grey levels
    ground: tuple[FloatImage, ...]  # the same with the ground's, for each of PLANE_ERRORS_PX


class ImageProof:
    """Compares what the images say of obstacle and ground."""

    def __init__(self, rig: RectifiedRig, stride_px: int) -> None:
        self._stride_px, self._scale = stride_px, noise_scale(rig)
        self._offset_px = np.float32(rig.disparity_offset_px)

    def evidence(
        self,
        textures: Textures,
        place: tuple[IntArray, IntArray],
        measured_px: FloatImage,
        ground_px: FloatImage,
        certainty: FloatImage,
    ) -> Evidence:
        """Evidence at points of the map, ``place`` being their rows and columns; disparities with the rig's offset.

        ``textures`` have the map's rows.
        """
        left, right = textures.pair
        row, column = place[0], self._stride_px * place[1]
        here, x = left[row, column].astype(np.float32), column.astype(np.float32) + self._offset_px
        errors_px = np.float32(self._scale) * np.array(PLANE_ERRORS_PX, np.float32)
        at = np.concatenate(((x - measured_px)[None], x - ground_px - errors_px[:, None])).ravel()
        other = sampled(right, in_rows(at), in_rows(np.tile(row, 1 + len(errors_px))), len(at))
        measured, *ground = np.abs(here - other.reshape(-1, len(x)))
        return Evidence(measured_px - ground_px, certainty, measured, tuple(ground))

    def proven(self, occupied: Mask, grid: Grid, cell: IntArray, evidence: Evidence) -> Mask:
        """Those ``occupied`` cells where the obstacle fits better than the ground does, or is clear of it."""
        excess_px, certainty, measured, *ground = (
            around_cells(grid.count(cell, each))
            for each in (evidence.excess_px, evidence.certainty, evidence.measured, *evidence.ground)
        )
        number, least = around_cells(grid.count(cell)), np.minimum.reduce(ground)
        is_clear = (excess_px > CLEAR_PX * self._scale * number) & (certainty > CLEAR_CERTAINTY * number)
        is_certain = (certainty > CERTAIN * number) & _exceeds(least, measured, number, CERTAIN_CELL)
        weak = occupied & (is_clear | is_certain | _exceeds(least, measured, number, WEAK))
        place = np.flatnonzero(weak)
        if not len(place):
            return weak
        label = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)[1]
        part = label.take(place)
        ground_sum, measured_sum, certainty_sum, number_sum = (
            np.bincount(part, values.take(place)).astype(np.float32) for values in (least, measured, certainty, number)
        )
        has_strong = np.bincount(label[weak & _exceeds(least, measured, number, STRONG)], minlength=len(number_sum)) > 0
        is_proven = has_strong & _exceeds(ground_sum, measured_sum, number_sum, MEAN)
        is_proven &= (certainty_sum > SURE * number_sum) | _exceeds(ground_sum, measured_sum, number_sum, UNSURE)
        is_proven |= (certainty_sum > CERTAIN * number_sum) & _exceeds(
            ground_sum, measured_sum, number_sum, CERTAIN_MEAN
        )
        is_proven &= number_sum >= 9 * LEAST_POINTS
        is_proven |= np.bincount(label[weak & is_clear], minlength=len(number_sum)) >= CLEAR_CELLS
        return np.asarray(weak & is_proven[label])


def _exceeds(
    ground: FloatImage, measured: FloatImage, number: FloatImage, factor_and_levels: tuple[float, float]
) -> Mask:
    factor, levels = factor_and_levels
    return np.asarray(ground > factor * measured + levels * number)
