"""Interface of calibration boards: corner detection, object points, and artwork: black and white shapes in metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, GreyImage, IntArray, Mask

OVERSAMPLING = 8
"""Fine pixels per pixel and axis, so that edges are smooth and stand where they should."""

SUBPIXEL_BITS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """A filled polygon."""

    corners_m: FloatArray  # (K, 2) x right, y down, from the sheet's upper left corner
    black: bool = True


@dataclass(frozen=True, slots=True)
class Disc:
    """A filled black circle."""

    centre_m: tuple[float, float]
    radius_m: float


Shape = Polygon | Disc


@dataclass(frozen=True, slots=True, eq=False)
class Artwork:
    """Shapes on a white sheet, later ones over earlier ones."""

    size_m: tuple[float, float]  # width, height
    origin_m: tuple[float, float]  # where the board's frame has its origin on the sheet
    shapes: tuple[Shape, ...]

    def picture(self, size_px: tuple[int, int], oversampling: int = OVERSAMPLING) -> FloatImage:
        """The sheet as (H, W) from 0 (black) to 1 (white), for ``size_px`` (width, height); edges are smooth.

        Texel (0, 0) has its centre half a texel inside of the sheet's corner.
        """
        fine = np.full((size_px[1] * oversampling, size_px[0] * oversampling), 255, np.uint8)
        scale = np.array([fine.shape[1] / self.size_m[0], fine.shape[0] / self.size_m[1]])
        for shape in self.shapes:
            _draw(fine, shape, scale)
        coarse = cv2.resize(fine, size_px, interpolation=cv2.INTER_AREA)
        return np.asarray(coarse.astype(np.float32) / 255, np.float32)


def rectangle(left_m: float, top_m: float, width_m: float, height_m: float, black: bool = True) -> Polygon:
    """An upright rectangle."""
    right, bottom = left_m + width_m, top_m + height_m
    return Polygon(np.array([[left_m, top_m], [right, top_m], [right, bottom], [left_m, bottom]]), black)


def marker_shapes(bits: GreyImage, left_m: float, top_m: float, side_m: float) -> list[Shape]:
    """A square marker from its cells (K, K), 0 being black, border included: black with white runs on it."""
    shapes: list[Shape] = [rectangle(left_m, top_m, side_m, side_m)]
    cell_m = side_m / len(bits)
    for row, cells in enumerate(bits > 0):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]]).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            place = left_m + start * cell_m, top_m + row * cell_m
            shapes.append(rectangle(*place, (end - start) * cell_m, cell_m, black=False))
    return shapes


def _draw(fine: GreyImage, shape: Shape, scale: FloatArray) -> None:
    """OpenCV fills whole fine pixels whose centres are at integers: -0.5 brings the sheet's corner to 0."""
    unit = 1 << SUBPIXEL_BITS
    if isinstance(shape, Polygon):
        low, high = (np.round(edge * scale).astype(int) for edge in (shape.corners_m.min(0), shape.corners_m.max(0)))
        if _is_upright(shape):
            high = np.maximum(high, low + 1)  # thin lines stay visible in small pictures
            fine[low[1] : high[1], low[0] : high[0]] = 0 if shape.black else 255
            return
        corners = np.round((shape.corners_m * scale - 0.5) * unit).astype(np.int32)
        cv2.fillPoly(fine, [corners], 0 if shape.black else 255, shift=SUBPIXEL_BITS)
    else:
        centre = np.round((np.array(shape.centre_m) * scale - 0.5) * unit).astype(int).tolist()
        axes = np.round(shape.radius_m * scale * unit).astype(int).tolist()
        cv2.ellipse(fine, centre, axes, 0, 0, 360, 0, -1, shift=SUBPIXEL_BITS)


def _is_upright(shape: Polygon) -> bool:
    x, y = shape.corners_m.T
    return len(x) == 4 and len(set(x.tolist())) == 2 and len(set(y.tolist())) == 2


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Board detection: the corners that were found in one image."""

    ids: IntArray  # (N,) rows of the board's points_m, no two the same
    pixels: FloatArray  # (N, 2) x, y with pixel centres at integers
    note: str = ""  # what the detector found out, such as the layout of a ChArUco board

    def keep(self, mask: Mask) -> Detection:
        """The corners where ``mask`` (N,) is true."""
        return Detection(self.ids[mask], self.pixels[mask], self.note)


class Board(Protocol):
    """Flat calibration board; x runs right and y down for who looks at it, z away from them."""

    @property
    def spec(self) -> str:
        """The text that ``parse_board`` makes this board of."""

    @property
    def points_m(self) -> FloatArray:
        """Object points: all corners (N, 3) in the board's frame, z = 0."""

    @property
    def is_symmetric(self) -> bool:
        """It looks the same upside down, so that left and right have to be brought into one order."""

    def detect(self, grey: GreyImage) -> Detection | None:
        """Corners in an image (H, W) to a fraction of a pixel, None where the board is not found."""

    def diagnose(self, grey: GreyImage) -> str:
        """What may be wrong with an image in which ``detect`` found nothing: a clause, or ""."""

    def artwork(self) -> Artwork:
        """What is printed."""


def grid_points(columns: int, rows: int, pitch_m: float) -> FloatArray:
    """(columns * rows, 3) points of a square grid, row by row."""
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    return np.column_stack([x.ravel() * pitch_m, y.ravel() * pitch_m, np.zeros(rows * columns)])


def turned_half(columns: int, rows: int) -> IntArray:
    """The order of such a grid's points for who holds the board upside down."""
    return np.arange(columns * rows, dtype=np.intp)[::-1]
