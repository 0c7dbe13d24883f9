"""The AprilGrid as Kalibr prints it: tags with a black border of two cells, joined by small black squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from .artwork import Artwork, Shape, marker_shapes, rectangle
from .board import Detection, FloatArray, GreyImage, IntArray
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
        return (places[:, None] + corners).reshape(-1, 3)

    @cached_property
    def outline(self) -> IntArray:
        last = self.columns * self.rows - 1
        upper_left = last - self.columns + 1
        return np.array([4 * upper_left, 4 * last + 1, 4 * (self.columns - 1) + 2, 3], dtype=np.intp)

    @property
    def is_symmetric(self) -> bool:
        return False

    @cached_property
    def _detector(self) -> Any:
        return _detector(self.border_bits)

    def detect(self, grey: GreyImage) -> Detection | None:
        """Tags whose place and size fit the board; fewer than 3 are too few to trust."""
        tags = self._tags(grey, self._detector)
        if tags is None or abs(self._side_ratio(*tags) - 1) > RATIO_TOLERANCE:
            return None
        numbers, corners = tags
        ids = (4 * numbers[:, None] + np.arange(4)).ravel()
        gap_px = self.spacing * float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))
        return Detection(ids, refined(grey, corners.reshape(-1, 2), gap_px))

    def _tags(self, grey: GreyImage, detector: Any) -> tuple[IntArray, FloatArray] | None:
        """Numbers (T,) and corners (T, 4, 2) of tags of this board, in the order of ``points_m``."""
        found, ids, _ = detector.detectMarkers(grey)
        if ids is None:
            return None
        numbers, corners = np.asarray(ids, np.intp).ravel(), np.asarray(found, np.float64).reshape(-1, 4, 2)
        numbers, first = np.unique(numbers, return_index=True)
        corners, known = corners[first], numbers < self.columns * self.rows
        numbers, corners = numbers[known], corners[known]
        if len(numbers) < LEAST_TAGS:
            return None
        turns = min(range(4), key=lambda turn: self._misfit_px(numbers, np.roll(corners, turn, axis=1)))
        corners = np.roll(corners, turns, axis=1)
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
        tags = self._tags(grey, self._detector)
        if tags is not None:
            ratio = self._side_ratio(*tags)
            if abs(ratio - 1) > RATIO_TOLERANCE:
                return f"its tags are {ratio:.2f} times as large as the stated spacing and border make them"
        for bits in {1, 2} - {self.border_bits}:
            if self._tags(grey, _detector(bits)) is not None:
                ending = "" if bits == KALIBR_BORDER_BITS else f":border{bits}"
                return f"its tags have a border of {bits} cells: write the board without :border2 or with {ending!r}"
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


def _detector(border_bits: int) -> Any:
    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border_bits
    return cv2.aruco.ArucoDetector(dictionary(FAMILY), parameters)
