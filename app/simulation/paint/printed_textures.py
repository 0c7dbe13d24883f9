"""Procedural textures of man-made surfaces, seeded: prints, book spines, chessboards, crates."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.app.simulation.textures import Colour, Painter, Swatch, blended, planks, tinted
from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.boards.board import Board
from roma_device.calibration.boards.chessboard import Chessboard

PALETTE: tuple[Colour, ...] = (
    (52, 64, 200),
    (60, 140, 235),
    (84, 200, 240),
    (110, 160, 70),
    (170, 130, 50),
    (150, 70, 60),
    (130, 80, 150),
    (225, 232, 238),
    (48, 44, 42),
)
"""Inks, BGR."""

CHESSBOARD = Chessboard(9, 6, 0.03)
"""The calibration target that stands in the scenes: 9 x 6 inner corners, squares of 30 mm."""


def poster(count: int = 26) -> Painter:
    """An abstract print: discs, rings, bars and triangles within a white margin."""

    def paint(swatch: Swatch) -> FloatImage:
        height, width = swatch.shape
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = _ink(swatch)
        for _ in range(count):
            _draw_shape(picture, swatch, 0.04 + 0.2 * swatch.rng.random() ** 2)
        margin = max(2, round(0.05 * min(height, width)))
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), (228, 234, 236), margin)
        return picture * (1 + 0.025 * swatch.fractal(0.01))[..., None]

    return paint


def _ink(swatch: Swatch) -> Colour:
    return PALETTE[swatch.rng.integers(len(PALETTE))]


def _draw_shape(picture: Image, swatch: Swatch, share: float) -> None:
    """One shape whose size is a share of the picture's width; places are in sixteenths of a texel."""
    height, width = swatch.shape
    centre = swatch.rng.random(2) * (width, height)
    corners = (16 * (centre + swatch.rng.normal(0, share * width, (3, 2)))).round().astype(np.int32)
    radius, place = max(1, round(16 * share * width)), (16 * centre).round().astype(int).tolist()
    kind, smooth = swatch.rng.integers(4), {"lineType": cv2.LINE_AA, "shift": 4}
    if kind == 0:
        cv2.circle(picture, place, radius, _ink(swatch), -1, **smooth)
    elif kind == 1:
        cv2.circle(picture, place, radius, _ink(swatch), max(1, radius // 64), **smooth)
    elif kind == 2:
        cv2.fillPoly(picture, [corners], _ink(swatch), **smooth)
    else:
        cv2.line(picture, corners[0].tolist(), corners[1].tolist(), _ink(swatch), max(1, radius // 96), **smooth)


def books(shelf_m: float = 0.34) -> Painter:
    """Shelves full of book spines."""

    def paint(swatch: Swatch) -> FloatImage:
        picture = np.full((*swatch.shape, 3), (30, 42, 58), np.float32)
        shelf_px, board_px = shelf_m * swatch.texels_per_m, max(1, round(0.025 * swatch.texels_per_m))
        for bottom in np.arange(swatch.shape[0], 0, -shelf_px):
            lower = round(bottom) - board_px
            picture[max(lower, 0) : round(bottom)] = (70, 105, 140)
            _fill_shelf(picture, swatch, lower, shelf_px - board_px)
        return picture * (1 + 0.04 * swatch.fractal(0.02))[..., None]

    return paint


def _fill_shelf(picture: FloatImage, swatch: Swatch, lower: int, free_px: float) -> None:
    """Books from left to right that stand on the row ``lower``."""
    left = 0.0
    while left < swatch.shape[1]:
        width = swatch.rng.uniform(0.018, 0.055) * swatch.texels_per_m
        top = round(lower - free_px * swatch.rng.uniform(0.62, 0.93))
        columns = slice(round(left), max(round(left) + 1, round(left + 0.93 * width)))
        ink = np.array(_ink(swatch)) * swatch.rng.uniform(0.6, 1.0)
        picture[max(top, 0) : max(lower, 0), columns] = ink
        label = round(top + (lower - top) * swatch.rng.uniform(0.1, 0.6))
        picture[max(label, 0) : max(label + round(0.12 * (lower - top)), 0), columns] = _ink(swatch)
        left += width


def board_print(board: Board) -> Painter:
    """A calibration board on paper; its corners lie on the surface to a hundredth of a texel."""

    def paint(swatch: Swatch) -> FloatImage:
        white = board.artwork().picture((swatch.shape[1], swatch.shape[0]))
        return blended((26, 26, 28), tinted((238, 240, 242), 0.01 * swatch.fractal(0.1)), white)

    return paint


def checks(colour: Colour, other: Colour, pitch_m: float) -> Painter:
    """Squares of two colours."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = swatch.grid_m()
        odd = (np.floor(x / pitch_m) + np.floor(y / pitch_m)) % 2
        rough = 0.04 * swatch.fractal(0.02)
        return blended(tinted(colour, rough), tinted(other, rough), odd)

    return paint


def gores(colours: tuple[Colour, ...]) -> Painter:
    """A beach ball: stripes from pole to pole."""

    def paint(swatch: Swatch) -> FloatImage:
        share = np.linspace(0, len(colours), swatch.shape[1], endpoint=False)
        stripes = np.array(colours, np.float32)[share.astype(int)]
        return np.asarray((1 + 0.03 * swatch.fractal(0.03))[..., None] * stripes[None])

    return paint


def crate(colour: Colour) -> Painter:
    """Boards, a frame around them, and a stencilled mark."""

    def paint(swatch: Swatch) -> FloatImage:
        picture = planks(colour, 0.09, 3.0)(swatch)
        height, width = swatch.shape
        frame = np.zeros(swatch.shape, np.float32)
        cv2.rectangle(frame, (0, 0), (width - 1, height - 1), 1.0, max(2, round(0.12 * min(height, width))))
        picture = blended(picture, tinted(colour, 0.1 * swatch.fractal(0.03) - 0.18), frame)
        mark = np.zeros(swatch.shape, np.uint8)
        scale = 0.012 * min(height, width)
        place = (round(width / 2 - 15 * scale), round(height / 2 + 8 * scale))
        text = f"{swatch.rng.integers(10, 99)}"
        cv2.putText(mark, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.8 * scale, 255, max(1, round(1.5 * scale)))
        return blended(picture, (40, 44, 60), mark * np.float32(0.75 / 255))

    return paint
