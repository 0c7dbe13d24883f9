"""Grid of detected squares: neighbours, and so the column and row of each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray

NEAR_SHARE = 0.3
"""How far a neighbour may be from where a square expects it, over their distance: lenses bend rows."""

LIKE = 1.7
"""Neighbours differ in size by less than this factor."""

STEPS = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])
"""Change of column and row towards each side of a square: up, right, down, left."""


@dataclass(frozen=True, slots=True, eq=False)
class QuadGrid:
    """Squares that lie in columns and rows, counted from 0 on; there may be holes."""

    cells: IntArray  # (G, 2) column and row
    quads: FloatArray  # (G, 4, 2) upper left, upper right, lower right, lower left corner, px

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = (self.cells.max(axis=0) + 1).tolist() if len(self.cells) else (0, 0)
        return columns, rows

    def turned(self) -> QuadGrid:
        """The same squares for who tilts their head to the right by 90 degrees."""
        columns = self.size[0]
        cells = np.column_stack([self.cells[:, 1], columns - 1 - self.cells[:, 0]])
        return QuadGrid(cells, np.roll(self.quads, -1, axis=1))

    def gap_per_side(self) -> float:
        """The gap between the squares over their side, with perspective taken out; NaN for fewer than 4 squares."""
        if len(self) < 4 or min(self.size) < 2:
            return float("nan")
        plane = cv2.findHomography(self.quads.mean(axis=1), self.cells.astype(np.float64), 0)[0]
        if plane is None:
            return float("nan")
        flat = cv2.perspectiveTransform(self.quads.reshape(-1, 1, 2), plane).reshape(-1, 4, 2)
        side = float(np.median(np.linalg.norm(flat - np.roll(flat, 1, axis=1), axis=2)))
        return 1 / max(side, 1e-6) - 1


def largest_grid(quads: FloatArray, pitch_per_side: float) -> QuadGrid:
    """The largest set of squares (Q, 4, 2), corners clockwise, that form a grid whose pitch is as stated."""
    facing = _facing_sides(quads, pitch_per_side)
    best: dict[int, tuple[tuple[int, int], int]] = {}
    left = set(range(len(quads)))
    while left:
        members = _connected(min(left), facing)
        left -= members.keys()
        if len(members) > len(best) and len({cell for cell, _ in members.values()}) == len(members):
            best = members
    if not best:
        return QuadGrid(np.empty((0, 2), np.intp), np.empty((0, 4, 2)))
    cells = np.array([cell for cell, _ in best.values()], dtype=np.intp)
    corners = [np.roll(quads[index], -first, axis=0) for index, (_, first) in best.items()]
    return QuadGrid(cells - cells.min(axis=0), np.stack(corners))


def _facing_sides(quads: FloatArray, pitch_per_side: float) -> dict[int, dict[int, tuple[int, int]]]:
    """For each square and side (0: between corners 0 and 1): the square that it faces, and by which of its sides."""
    if not len(quads):
        return {}
    centres = quads.mean(axis=1)
    ways = (quads + np.roll(quads, -1, axis=1) - 2 * centres[:, None]) * pitch_per_side
    away = np.linalg.norm((centres[:, None] + ways)[:, :, None] - centres, axis=3)
    size = np.linalg.norm(ways, axis=2).mean(axis=1)
    alike = np.abs(np.log(size[:, None] / size)) < np.log(LIKE)
    away = np.where(alike[:, None], away, np.inf)
    nearest = away.argmin(axis=2)
    near = away.min(axis=2) < NEAR_SHARE * np.linalg.norm(ways, axis=2)
    faced = {q: {m: int(nearest[q, m]) for m in range(4) if near[q, m]} for q in range(len(quads))}
    return {
        q: {m: (n, back) for m, n in sides.items() for back, other in faced[n].items() if other == q}
        for q, sides in faced.items()
    }


def _connected(start: int, facing: dict[int, dict[int, tuple[int, int]]]) -> dict[int, tuple[tuple[int, int], int]]:
    """Cell of each square that can be reached from ``start``, and which of its sides is the upper one."""
    members = {start: ((0, 0), 0)}
    waiting = [start]
    while waiting:
        square = waiting.pop()
        (column, row), first = members[square]
        for side, (other, back) in facing.get(square, {}).items():
            if other not in members:
                way = (side - first) % 4
                step = STEPS[way].tolist()
                members[other] = ((column + step[0], row + step[1]), (back - way - 2) % 4)
                waiting.append(other)
    return members
