"""Alignment of the ground plane by both images: its edges must meet where the plane says.

A network's disparity bulges over floors with little texture along the row, and a plane through the bulges tilts. The
edges that such a floor has (joints, tiles, stains) say more than all of its smooth area. So the plane's three
parameters are moved until the left image's edges meet those of the right one (direct alignment by Gauss-Newton, as
Lucas and Kanade 1981, over a plane in disparity space), with the plane through the disparity as a prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Mask
from roma_device.calibration.rectify import RectifiedRig

from .textures import Texture, Textures, in_rows, noise_scale, sampled

LEAST_SLOPE, MOST_EDGES, LEAST_EDGES = 6, 1000, 60
"""An edge rises by so many grey levels per px along the row; so many are used at most, and fewer say nothing."""

BAND_PX, ABOVE_PX, AROUND = 1.5, 0.8, 9
"""Edges count where the disparity is that of the plane within BAND_PX, and, by AROUND pixels of the map, no point lies
ABOVE_PX above it: the feet of obstacles have stronger edges than floors."""

STEPS = 2
LIKENESS = 0.5
"""Both images' slopes at an edge may differ by this share of their mean: what is aliased or hidden differs by more."""

TIGHTNESS = 2.0
DISTRUST = 4.0
"""By this factor there are fewer independent edges than pixels on them."""

PRIOR_PER_PX2 = 40.0
"""Information in the plane through the disparity: about four independent patches with an error of 0.3 px."""

MOST_MOVED_PX = 2.0
_THREE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edges of the left image that lie on the ground, (N,) each."""

    rays: FloatImage  # (3, N): normalized u, v, and 1
    x: FloatImage  # column in the right image where the disparity is 0
    rows: FloatImage  # three times, as cv2.remap wants them
    brightness: FloatImage
    slope: FloatImage  # grey levels per px along the row


class PlaneAlignment:
    """Of one rig; wide images are looked at as narrow as networks see them."""

    def __init__(self, rig: RectifiedRig, u: FloatImage, v: FloatImage, least_px: float) -> None:
        """``u`` and ``v`` are the normalized places of the disparity map's pixels; ground of less than ``least_px`` of
        disparity is too far away."""
        assert rig.focal_px is not None
        self._u, self._v, self._least_px = u, v, least_px
        self._factor, self._scale = max(1, round(noise_scale(rig))), noise_scale(rig)
        columns = np.arange(rig.size.width // self._factor) * self._factor + (self._factor - 1) / 2
        self._columns = ((columns - rig.cx) / rig.focal_px).astype(np.float32)
        self._offset = rig.disparity_offset_px / self._factor
        self._around = np.ones((AROUND, AROUND), np.uint8)

    def __call__(
        self, plane: FloatArray, normal: FloatArray, shift_px: FloatImage, known: Mask, textures: Textures
    ) -> tuple[FloatArray, FloatArray]:
        """The plane (3,) moved, and the normal matrix (3, 3) of what it rests on.

        ``normal`` is that of the fit to ``shift_px``, disparity with the rig's offset, where it is ``known``.
        """
        left, right = textures.narrowed(self._factor)
        edges = self._edges(left, *self._ground(plane, shift_px, known))
        prior = normal * (PRIOR_PER_PX2 * self._factor**2 / max(float(normal[2, 2]), 1e-9))
        if len(edges.x) < LEAST_EDGES:
            return plane, prior
        start = moved = plane / self._factor
        for _ in range(STEPS):
            information, step = _step(moved, edges, right)
            total = information + prior
            moved = moved - np.linalg.solve(total, step + prior @ (moved - start))
        is_far = float(np.abs((moved - start) @ edges.rays).max()) > MOST_MOVED_PX
        return (plane, prior) if is_far else (moved * self._factor, total)

    def _ground(self, plane: FloatArray, shift_px: FloatImage, known: Mask) -> tuple[int, Mask]:
        """The first row that is looked at, and from there on pixels of the map that lie on the plane, and not at the
        foot of something."""
        a, b, c = plane.astype(np.float32)
        across_px, down_px, least_px = a * self._u, b * self._v + c, np.float32(self._least_px)
        first = max(0, int(np.argmax(down_px > least_px - across_px.max())) - AROUND)
        expected_px = across_px[None] + down_px[first:, None]
        above_px, known = shift_px[first:] - expected_px, known[first:]
        high = (known & (above_px > np.float32(ABOVE_PX * self._scale))).view(np.uint8)
        high = cv2.dilate(cv2.morphologyEx(high, cv2.MORPH_OPEN, _THREE), self._around)
        near = known & (np.abs(above_px) < np.float32(BAND_PX * self._scale))
        return first, np.asarray(near & (expected_px > least_px) & (high == 0))

    def _edges(self, left: Texture, first: int, ground: Mask) -> _Edges:
        """Those of the ``left`` image on ``ground``, which begins at row ``first``."""
        seen = left[first:]
        twice = seen[:, 2:] - seen[:, :-2]
        mask = cv2.resize(ground.view(np.uint8), seen.shape[::-1], interpolation=cv2.INTER_NEAREST)[:, 1:-1]
        place = np.flatnonzero((np.abs(twice) > 2 * LEAST_SLOPE) & mask.view(np.bool_))
        if len(place) > MOST_EDGES:
            place = place[np.arange(MOST_EDGES) * len(place) // MOST_EDGES]
        row, column = np.divmod(place, twice.shape[1])
        slope = twice.take(place) * np.float32(0.5)
        column += 1
        row += first
        rays = np.stack([self._columns[column], self._v[row], np.ones(len(row), np.float32)])
        x = (column + self._offset).astype(np.float32)
        return _Edges(rays, x, in_rows(np.concatenate((row, row, row))), left[row, column].astype(np.float32), slope)


def _step(plane: FloatArray, edges: _Edges, right: Texture) -> tuple[FloatArray, FloatArray]:
    """Normal matrix and right side of one Gauss-Newton step, in px of disparity."""
    count, x = len(edges.x), edges.x - (plane @ edges.rays).astype(np.float32)
    before, here, behind = sampled(right, in_rows(np.concatenate((x - 1, x, x + 1))), edges.rows, 3 * count).reshape(
        3, -1
    )
    other = (behind - before) * np.float32(0.5)
    slope, error = (edges.slope + other) * np.float32(0.5), edges.brightness - here
    is_like = np.abs(edges.slope - other) < np.float32(LIKENESS) * np.abs(slope)
    error_px = np.abs(error) / np.maximum(np.abs(slope), np.float32(1))
    spread_px = 1.4826 * float(np.median(error_px[is_like])) + 0.05 if is_like.any() else 1.0
    weight = is_like / np.square(1 + np.square(error_px * np.float32(1 / (TIGHTNESS * spread_px))))
    noise = float(weight @ (error * error)) / max(float(weight.sum()), 1e-9) + 1
    weighted = edges.rays * (weight * slope * np.float32(1 / (DISTRUST * noise)))
    return ((weighted * slope) @ edges.rays.T).astype(np.float64), (weighted @ error).astype(np.float64)
