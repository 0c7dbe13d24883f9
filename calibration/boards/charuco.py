"""The ChArUco board: a chessboard with markers in its white squares, so that a part of it is enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage

from .board import Artwork, Detection, Shape, grid_points, marker_shapes, rectangle
from .dictionaries import dictionary, marker_bits
from .subpixel import nearest_spacing, refined

LEAST_CORNERS = 8
LAYOUTS = {False: "layout of OpenCV 4.6 and later", True: "layout before OpenCV 4.6 (legacy)"}
"""Boards with an even number of rows start with a marker in the old layout, and with a black square in the new."""


@dataclass(frozen=True)
class CharucoBoard:
    """``columns`` x ``rows`` squares of ``square_m`` with markers of ``marker_m`` from a dictionary.

    ``legacy`` is the layout: None tries both and says which one matched.
    """

    columns: int
    rows: int
    square_m: float
    marker_m: float
    dictionary_name: str
    legacy: bool | None = None
    is_symmetric: ClassVar = False

    @property
    def spec(self) -> str:
        lengths = f"{self.square_m * 1000:g}mm:{self.marker_m * 1000:g}mm"
        layout = {None: "", False: ":new", True: ":legacy"}[self.legacy]
        return f"charuco:{self.columns}x{self.rows}:{lengths}:{self.dictionary_name}{layout}"

    @cached_property
    def points_m(self) -> FloatArray:
        return grid_points(self.columns - 1, self.rows - 1, self.square_m)

    @cached_property
    def _detectors(self) -> dict[bool, Any]:
        layouts = (False, True) if self.legacy is None else (self.legacy,)
        if self.rows % 2 and self.legacy is None:
            layouts = (False,)  # with an odd number of rows both are the same
        return {legacy: self._detector(legacy) for legacy in layouts}

    def _detector(self, legacy: bool) -> Any:
        size = self.columns, self.rows
        board = cv2.aruco.CharucoBoard(size, self.square_m, self.marker_m, dictionary(self.dictionary_name))
        board.setLegacyPattern(legacy)
        return cv2.aruco.CharucoDetector(board)

    def detect(self, grey: GreyImage) -> Detection | None:
        """The layout under which more corners are found wins; fewer than 8 corners are too few to trust."""
        tries = [self._detect(grey, legacy) for legacy in self._detectors]
        best = max(
            (detection for detection in tries if detection is not None),
            key=lambda detection: len(detection.ids),
            default=None,
        )
        return best if best is not None and len(best.ids) >= LEAST_CORNERS else None

    def _detect(self, grey: GreyImage, legacy: bool) -> Detection | None:
        corners, ids, _, _ = self._detectors[legacy].detectBoard(grey)
        if corners is None or ids is None or len(ids) == 0:
            return None
        pixels = np.asarray(corners, np.float64).reshape(-1, 2)
        inset = (self.square_m - self.marker_m) / 2 / self.square_m
        pixels = refined(grey, pixels, nearest_spacing(pixels), 0.9 * inset)  # clear of the markers
        note = LAYOUTS[legacy] if len(self._detectors) > 1 else ""
        return Detection(np.asarray(ids, np.intp).ravel(), pixels, note)

    def diagnose(self, grey: GreyImage) -> str:
        for name in (self.dictionary_name, "4x4_1000", "5x5_1000", "6x6_1000", "7x7_1000", "apriltag_36h11"):
            ids = cv2.aruco.ArucoDetector(dictionary(name)).detectMarkers(grey)[1]
            if ids is not None and len(ids) >= 4:
                if name != self.dictionary_name:
                    return f"there are markers of the dictionary {name} in it"
                count = self.columns * self.rows // 2
                if int(np.max(ids)) >= count:
                    return f"there are markers up to number {int(np.max(ids))}, this board has {count}"
                return "its markers are seen, but not in this board's places: is it another size, or cut off?"
        flipped = cv2.aruco.ArucoDetector(dictionary(self.dictionary_name)).detectMarkers(grey[:, ::-1].copy())[1]
        return "the image is mirrored" if flipped is not None and len(flipped) >= 4 else ""

    def artwork(self) -> Artwork:
        """A margin of one white square; markers in the white squares, numbered row by row."""
        side, number, shapes = self.square_m, 0, list[Shape]()
        shift = 1 if self.legacy and self.rows % 2 == 0 else 0
        inset = (self.square_m - self.marker_m) / 2
        for row in range(self.rows):
            for column in range(self.columns):
                left, top = (column + 1) * side, (row + 1) * side
                if (row + column + shift) % 2 == 0:
                    shapes.append(rectangle(left, top, side, side))
                else:
                    bits = marker_bits(self.dictionary_name, number)
                    shapes += marker_shapes(bits, left + inset, top + inset, self.marker_m)
                    number += 1
        return Artwork(((self.columns + 2) * side, (self.rows + 2) * side), (2 * side, 2 * side), tuple(shapes))
