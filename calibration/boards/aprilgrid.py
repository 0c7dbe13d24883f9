"""The AprilGrid as Kalibr prints it: tags with a black border of two cells, joined by small black squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage, IntArray

from .board import Artwork, Detection, Shape, marker_shapes, rectangle
from .dictionaries import dictionary, marker_bits
from .subpixel import refined

FAMILY = "apriltag_36h11"
KALIBR_BORDER_BITS = 2
LEAST_TAGS = 3
CODE_CELLS = 6

RATIO_TOLERANCE = 0.06
"""A border read one cell too thin or thick changes a tag's side by a fifth; the lens by less than this."""


@dataclass(frozen=True)
class AprilGrid:
    """``columns`` x ``rows`` tags with sides of ``tag_m`` and gaps of ``spacing`` times that (a ratio, as in Kalibr).

    Tag 0 is at the lower left, numbers grow to the right and then upwards. OpenCV's default border of one
    cell finds such tags too, with the right numbers and with corners up to 5 px inside: hence two.
    """

    columns: int
    rows: int
    tag_m: float
    spacing: float
    border_bits: int = KALIBR_BORDER_BITS
    is_symmetric: ClassVar = False

    @property
    def spec(self) -> str:
        border = "" if self.border_bits == KALIBR_BORDER_BITS else f":border{self.border_bits}"
        return f"aprilgrid:{self.columns}x{self.rows}:{self.tag_m * 1000:g}mm:{self.spacing:g}{border}"

    @property
    def _pitch_m(self) -> float:
        return self.tag_m * (1 + self.spacing)

    @cached_property
    def points_m(self) -> FloatArray:
        """Corner k of tag t is row 4 t + k; upper left, upper right, lower right, lower left of each tag."""
        side = self.tag_m
        corners = np.array([[0, 0, 0], [side, 0, 0], [side, side, 0], [0, side, 0]])
        number = np.arange(self.columns * self.rows)
        column, row = number % self.columns, self.rows - 1 - number // self.columns
        places = np.column_stack([column, row, np.zeros(len(number))]) * self._pitch_m
        return np.asarray((places[:, None] + corners).reshape(-1, 3))

    @cached_property
    def _detector(self) -> Any:
        return _detector(self.border_bits)

    def detect(self, grey: GreyImage) -> Detection | None:
        """Tags whose place, size and border fit the board; fewer than 3 are too few to trust."""
        tags = self._tags(grey, self._detector)
        if tags is None or self._mismatch(grey, *tags):
            return None
        numbers, corners = tags
        ids, pixels = (4 * numbers[:, None] + np.arange(4)).ravel(), corners.reshape(-1, 2)
        refined_ones = (pixels != np.round(pixels)).any(axis=1)  # what cornerSubPix gives up stays at whole pixels
        return Detection(ids, pixels).keep(refined_ones) if refined_ones.sum() >= 4 * LEAST_TAGS else None

    def _mismatch(self, grey: GreyImage, numbers: IntArray, corners: FloatArray) -> str:
        """How tags differ from what was stated: a clause, or ""."""
        ratio = self._side_ratio(numbers, corners)
        if abs(ratio - 1) > RATIO_TOLERANCE:
            return f"its tags are {ratio:.2f} times as large as the stated gap between them makes them"
        bits = border_bits_of(grey, corners)
        if bits != self.border_bits:
            ending = "without :border1" if bits == KALIBR_BORDER_BITS else "with :border1 at its end"
            return f"its tags have a border of {bits} cells: write the board {ending}"
        return ""

    def _tags(self, grey: GreyImage, detector: Any) -> tuple[IntArray, FloatArray] | None:
        """Numbers (T,) and refined corners (T, 4, 2) of tags of this board, in the order of ``points_m``."""
        found, ids, _ = detector.detectMarkers(grey)
        if ids is None:
            return None
        numbers, corners = np.asarray(ids, np.intp).ravel(), np.asarray(found, np.float64).reshape(-1, 4, 2)
        numbers, first = np.unique(numbers, return_index=True)
        corners, known = corners[first], numbers < self.columns * self.rows
        numbers, corners = numbers[known], corners[known]
        if len(numbers) < LEAST_TAGS:
            return None
        shift = min(range(4), key=lambda start: self._misfit_px(numbers, np.roll(corners, start, axis=1)))
        corners = np.roll(corners, shift, axis=1)
        gap_px = self.spacing * float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))
        corners = refined(grey, corners.reshape(-1, 2), gap_px, 0.4).reshape(-1, 4, 2)
        return self._in_place(numbers, corners)

    def _misfit_px(self, numbers: IntArray, corners: FloatArray) -> float:
        """Detectors disagree on which corner of a tag is the first: the neighbours' places tell."""
        return float(np.median(self._residual(numbers, corners)))

    def _residual(self, numbers: IntArray, corners: FloatArray) -> FloatArray:
        points = self.points_m.reshape(-1, 4, 3)[numbers, :, :2].reshape(-1, 2)
        pixels = corners.reshape(-1, 2)
        plane = cv2.findHomography(points, pixels, cv2.LMEDS)[0]
        if plane is None:
            return np.full(len(numbers), np.inf)
        there = cv2.perspectiveTransform(points.reshape(-1, 1, 2), plane).reshape(-1, 2)
        return np.asarray(np.linalg.norm(there - pixels, axis=1).reshape(-1, 4).max(axis=1))

    def _in_place(self, numbers: IntArray, corners: FloatArray) -> tuple[IntArray, FloatArray] | None:
        """Without tags that lie far from where the others say: reflections, or a wrong number."""
        side_px = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean(axis=1)
        fits = self._residual(numbers, corners) < 0.5 * side_px
        return (numbers[fits], corners[fits]) if fits.sum() >= LEAST_TAGS else None

    def _side_ratio(self, numbers: IntArray, corners: FloatArray) -> float:
        """Sides of the tags over what their pitch says: 1 where the border is as stated."""
        points = self.points_m.reshape(-1, 4, 3)[numbers, :, :2]
        centres, pixels = points.mean(axis=1), corners.mean(axis=1)
        if len(centres) < 4 or min(np.ptp(centres, axis=0)) == 0:
            return 1.0
        plane = cv2.findHomography(pixels, centres, 0)[0]
        if plane is None:
            return 1.0
        flat = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), plane).reshape(-1, 4, 2)
        sides = np.linalg.norm(flat - np.roll(flat, 1, axis=1), axis=2)
        return float(np.median(sides)) / self.tag_m

    def diagnose(self, grey: GreyImage) -> str:
        for bits in (self.border_bits, *({1, 2} - {self.border_bits})):
            tags = self._tags(grey, _detector(bits))
            if tags is not None:
                return self._mismatch(grey, *tags)
        flipped = self._tags(grey[:, ::-1].copy(), self._detector)
        return "the image is mirrored" if flipped is not None else ""

    def artwork(self) -> Artwork:
        """As Kalibr draws it, with a margin of half a tag."""
        gap, margin, shapes = self.tag_m * self.spacing, self.tag_m / 2 + self.tag_m * self.spacing, list[Shape]()
        for number, (left, top) in enumerate(self.points_m[::4, :2] + margin):
            shapes += marker_shapes(marker_bits(FAMILY, number, self.border_bits), left, top, self.tag_m)
        for row in range(self.rows + 1):
            for column in range(self.columns + 1):
                place = column * self._pitch_m + margin - gap, row * self._pitch_m + margin - gap
                shapes.append(rectangle(*place, gap, gap))
        size = [count * self._pitch_m - gap + 2 * margin for count in (self.columns, self.rows)]
        return Artwork((size[0], size[1]), (margin, margin), tuple(shapes))


def border_bits_of(grey: GreyImage, corners: FloatArray) -> int:
    """Cells of the black border of tags with corners (T, 4, 2): 2 where the second ring of ten cells is black too."""
    side, cell = CODE_CELLS + 2 * KALIBR_BORDER_BITS, 6
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * side * cell
    whites = []
    for tag in corners[:: max(1, len(corners) // 6)]:
        flat = cv2.warpPerspective(
            grey, cv2.getPerspectiveTransform(tag.astype(np.float32), square), (side * cell,) * 2
        )
        cells = flat.reshape(side, cell, side, cell)[:, 2:4, :, 2:4].mean(axis=(1, 3))
        middle = (float(cells.min()) + float(cells.max())) / 2
        ring = np.concatenate([cells[1, 1:-1], cells[-2, 1:-1], cells[2:-2, 1], cells[2:-2, -2]])
        whites.append(float((ring > middle).mean()))
    return KALIBR_BORDER_BITS if np.median(whites) < 0.1 else 1


def _detector(border_bits: int) -> Any:
    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border_bits
    return cv2.aruco.ArucoDetector(dictionary(FAMILY), parameters)
