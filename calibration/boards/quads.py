"""Detection of dark squares on white, with subpixel corners.

Corners of squares that stand apart are not saddle points, and blur rounds them off: so each side is found by itself,
as a parabola (lenses bend it), and corners are where two sides meet.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage, Mask

BLOCKS_PER_IMAGE = (4, 10, 25)
"""Sizes of the neighbourhood over which is judged what is dark, as parts of the image's shorter side."""

DARKER_BY = 7
LEAST_SIDE_PX = 6.0
LEAST_CONTRAST = 25.0
SIDE_SAMPLES, INSET = 24, 0.08
STEP_PX = 0.25
STRAIGHT_PX = 30.0
"""A side of this length is as good as straight; what a lens bends it by grows with the square of its length."""


def dark_quads(grey: GreyImage, blocks: int) -> FloatArray:
    """Detected squares: corners (Q, 4, 2), clockwise as seen, to a pixel; ``blocks`` is one of BLOCKS_PER_IMAGE."""
    block = max(min(grey.shape) // blocks, 9) | 1
    kind = cv2.ADAPTIVE_THRESH_MEAN_C
    dark = cv2.adaptiveThreshold(grey, 255, kind, cv2.THRESH_BINARY_INV, block, DARKER_BY)
    outlines, tree = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return np.empty((0, 4, 2))
    parents = np.asarray(tree).reshape(-1, 4)[:, 3]
    quads = [_quad(outline) for outline, parent in zip(outlines, parents.tolist(), strict=True) if parent < 0]
    found = [quad for quad in quads if quad is not None and _is_dark(grey, quad)]
    return np.stack(found) if found else np.empty((0, 4, 2))


def _quad(outline: GreyImage) -> FloatArray | None:
    """The four corners (4, 2) of an outline that has so many."""
    length = cv2.arcLength(outline, True)
    if length < 4 * LEAST_SIDE_PX:
        return None
    corners = cv2.approxPolyDP(outline, 0.06 * length, True)
    if len(corners) != 4 or not cv2.isContourConvex(corners):
        return None
    quad = np.asarray(corners, np.float64).reshape(4, 2)
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    if sides.min() < max(LEAST_SIDE_PX, 0.2 * sides.max()):
        return None
    if cv2.contourArea(outline) < 0.8 * cv2.contourArea(corners):
        return None
    return quad if cv2.contourArea(corners.astype(np.float32), True) > 0 else quad[::-1].copy()


def _is_dark(grey: GreyImage, quad: FloatArray) -> bool:
    """Whether the inside is darker than what lies just outside of each side."""
    middle = quad.mean(axis=0)
    sides = (quad + np.roll(quad, -1, axis=0)) / 2
    outside = _grey_at(grey, middle + 1.3 * (sides - middle))
    inside = _grey_at(grey, middle + 0.5 * (sides - middle))
    return bool(outside.min() - inside.max() > LEAST_CONTRAST)


def _grey_at(grey: GreyImage, points: FloatArray) -> FloatArray:
    """Grey levels (...) between pixels at ``points`` (..., 2), the border repeated outside."""
    flat = points.reshape(-1, 1, 2).astype(np.float32)
    rows = [
        cv2.remap(grey, part, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in np.array_split(flat, len(flat) // 30000 + 1)  # remap takes images of up to 32767 rows
    ]
    return np.concatenate(rows).reshape(points.shape[:-1]).astype(np.float64)


def refined_quads(grey: GreyImage, quads: FloatArray) -> FloatArray:
    """Subpixel corners (Q, 4, 2), NaN where a square's sides cannot be seen clearly."""
    if not len(quads):
        return quads
    refined = _meetings(quads, *_sides(grey, quads))
    moved = np.linalg.norm(refined - quads, axis=2).max(axis=1)
    side = np.linalg.norm(quads - np.roll(quads, -1, axis=1), axis=2).min(axis=1)
    lost = ~(moved < np.clip(0.25 * side, 2, 5))
    refined[lost] = np.nan
    return refined


def _sides(grey: GreyImage, quads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Outward normals (Q, 4, 2) of the sides and parabolas (Q, 4, 3) along them: px outwards at -0.5 to 0.5."""
    step = np.roll(quads, -1, axis=1) - quads
    length = np.linalg.norm(step, axis=2)
    normal = np.stack([step[..., 1], -step[..., 0]], axis=-1) / length[..., None]
    reach = float(np.clip(0.2 * np.median(length), 2, 6))
    along = np.linspace(INSET, 1 - INSET, SIDE_SAMPLES)
    across = np.arange(-reach, reach + STEP_PX, STEP_PX)
    places = quads[:, :, None] + along[:, None] * step[:, :, None]
    profile = _grey_at(grey, places[..., None, :] + across[:, None] * normal[:, :, None, None])
    slope = np.clip(np.diff(profile, axis=-1), 0, None) ** 2
    weight = slope.sum(axis=-1)
    offset = (slope * (across[1:] + across[:-1]) / 2).sum(axis=-1) / np.maximum(weight, 1e-9)
    return normal, _parabolas(along - 0.5, offset, weight > 1, (STRAIGHT_PX / length) ** 4)


def _parabolas(along: FloatArray, offset: FloatArray, seen: Mask, stiffness: FloatArray) -> FloatArray:
    """Coefficients (..., 3) of 1, t and t^2 for offsets (..., S) at ``along`` (S,), which ``stiffness`` (...) keeps
    straight: least squares, once more without what lies far off."""
    powers = np.stack([np.ones_like(along), along, along**2], axis=-1)
    weight = seen.astype(np.float64)
    prior = 1e-9 * np.eye(3) + stiffness[..., None, None] * np.diag([0.0, 0.0, 1.0])
    for _ in range(2):
        normal = np.einsum("...s,si,sj->...ij", weight, powers, powers) + prior
        right = np.einsum("...s,si,...s->...i", weight, powers, offset)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        left = np.abs(offset - solved @ powers.T)
        weight = weight * (left < np.maximum(4 * np.median(left, axis=-1, keepdims=True), 0.1))
    return np.asarray(solved)


def _meetings(quads: FloatArray, normal: FloatArray, bends: FloatArray) -> FloatArray:
    """Where the parabola before each corner meets the one after it (Q, 4, 2), by Newton's method."""
    step = np.roll(quads, -1, axis=1) - quads

    def at(t: FloatArray, turn: int) -> tuple[FloatArray, FloatArray]:
        """Points and slopes of the sides that start ``turn`` corners earlier."""
        start, way, out, bend = (np.roll(array, turn, axis=1) for array in (quads, step, normal, bends))
        offset = bend[..., 0] + bend[..., 1] * t + bend[..., 2] * t**2
        slope = bend[..., 1] + 2 * bend[..., 2] * t
        return start + (t[..., None] + 0.5) * way + offset[..., None] * out, way + slope[..., None] * out

    before, after = np.full(quads.shape[:2], 0.5), np.full(quads.shape[:2], -0.5)
    for _ in range(4):
        (first, first_slope), (second, second_slope) = at(before, 1), at(after, 0)
        matrix = np.stack([first_slope, -second_slope], axis=-1)
        change = np.linalg.solve(matrix + 1e-12 * np.eye(2), (second - first)[..., None])[..., 0]
        before, after = before + change[..., 0], after + change[..., 1]
    return at(after, 0)[0]
