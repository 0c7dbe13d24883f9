"""Ray casting: which surface every ray of a camera meets first, and where on it.

Rays start in the camera's centre and have z = 1, so the inverse of the depth of a flat surface is linear
in them, and so are its texture coordinates divided by depth: no division until the nearest is known.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, IntArray, Mask

from .camera_space import CameraSpaceBall, CameraSpaceScene

Window = tuple[slice, slice]


class Rays:
    """The rays (x, y, 1) of an image; x should grow along its rows and y down its columns."""

    def __init__(self, x: FloatImage, y: FloatImage) -> None:
        """Both of shape (H, W)."""
        self.x, self.y = x, y
        self._columns, self._rows = _bounds(x, axis=0), _bounds(y, axis=1)

    def windows(self, ranges: FloatArray) -> list[Window | None]:
        """Rows and columns outside of which no ray lies in the ranges (N, 4); None where none does."""
        left, right = _overlap(self._columns, ranges[:, :2])
        top, bottom = _overlap(self._rows, ranges[:, 2:])
        rows = [slice(*ends) for ends in zip(top.tolist(), bottom.tolist(), strict=True)]
        columns = [slice(*ends) for ends in zip(left.tolist(), right.tolist(), strict=True)]
        seen = ((top < bottom) & (left < right)).tolist()
        return [(row, column) if hit else None for row, column, hit in zip(rows, columns, seen, strict=True)]


def _bounds(values: FloatImage, axis: int) -> tuple[FloatImage, FloatImage]:
    """Bounds (N,) of every column (axis 0) or row (axis 1), widened until they grow from one to the next."""
    highest = np.maximum.accumulate(values.max(axis=axis))
    lowest = np.minimum.accumulate(values.min(axis=axis)[::-1])[::-1]
    return lowest, highest


def _overlap(bounds: tuple[FloatImage, FloatImage], ranges: FloatArray) -> tuple[IntArray, IntArray]:
    lowest, highest = bounds
    return np.searchsorted(highest, ranges[:, 0]), np.searchsorted(lowest, ranges[:, 1], side="right")


class Hits:
    """Intersections of the rays of an image, by the number of the surface in its scene, from 1 on."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.inverse_depth, self.u, self.v = (np.zeros(shape, np.float32) for _ in range(3))  # u, v over depth
        self.surface = np.zeros(shape, np.uint8)  # 0: nothing
        self._scratch = np.empty((6, shape[0] * shape[1]), np.float32)
        self._masks = np.empty((2, shape[0] * shape[1]), np.bool_)

    def clear(self) -> None:
        for array in (self.inverse_depth, self.u, self.v, self.surface):
            array.fill(0)

    def scratch(self, shape: tuple[int, ...]) -> list[FloatImage]:
        """Six arrays to compute in."""
        return [row[: shape[0] * shape[1]].reshape(shape) for row in self._scratch]

    def masks(self, shape: tuple[int, ...]) -> list[Mask]:
        """Two masks to compute in."""
        return [row[: shape[0] * shape[1]].reshape(shape) for row in self._masks]

    def keep(self, window: Window, number: int, mask: Mask, hit: tuple[FloatImage, FloatImage, FloatImage]) -> None:
        """Take over (inverse depth, u over depth, v over depth) of a surface where the mask says so."""
        if not mask.any():
            return
        for target, values in zip((self.inverse_depth, self.u, self.v), hit, strict=True):
            cv2.copyTo(values, mask.view(np.uint8), target[window])
        np.copyto(self.surface[window], number, where=mask)


def cast(in_camera: CameraSpaceScene, rays: Rays, hits: Hits) -> None:
    """Fill ``hits`` (same shape as the rays) with the nearest surfaces."""
    hits.clear()
    for window, number, plane in zip(
        rays.windows(in_camera.ranges), in_camera.numbers.tolist(), in_camera.planes, strict=True
    ):
        if window is not None:
            _cast_quad(window, number, plane, rays, hits)
    for ball in in_camera.balls:
        (window,) = rays.windows(ball.ranges[None])
        if window is not None and ball.beyond > 0:
            _cast_ball(window, ball, rays, hits)


def _cast_quad(window: Window, number: int, plane: FloatArray, rays: Rays, hits: Hits) -> None:
    """Solve ``depth * ray = centre + u * half_u + v * half_v``."""
    x, y = rays.x[window], rays.y[window]
    u, v, inverse_depth, wide, high = hits.scratch(x.shape)[:5]
    for row, target in zip(plane.tolist(), (u, v, inverse_depth), strict=True):
        _linear(row, x, y, target)
    np.maximum(np.abs(u, out=wide), np.abs(v, out=high), out=wide)
    inside, nearer = hits.masks(x.shape)
    np.less_equal(wide, inverse_depth, out=inside)
    np.greater(inverse_depth, hits.inverse_depth[window], out=nearer)
    np.logical_and(inside, nearer, out=inside)
    hits.keep(window, number, inside, (inverse_depth, u, v))


def _cast_ball(window: Window, ball: CameraSpaceBall, rays: Rays, hits: Hits) -> None:
    """Solve ``|depth * ray - centre| = radius`` for the inverse depth: no cancellation for far balls."""
    x, y = rays.x[window], rays.y[window]
    along, inverse_depth, root, *axes = hits.scratch(x.shape)
    inside, nearer = hits.masks(x.shape)
    _linear(ball.centre_m.tolist(), x, y, along)
    np.subtract(along * along, np.float32(ball.beyond) * (1 + x * x + y * y), out=root)
    np.greater(root, 0, out=inside)
    np.sqrt(np.maximum(root, 0, out=root), out=root)
    np.divide(np.add(along, root, out=inverse_depth), np.float32(ball.beyond), out=inverse_depth)
    np.greater(inverse_depth, hits.inverse_depth[window], out=nearer)
    np.logical_and(inside, nearer, out=inside)
    for row, axis in zip(ball.ball_from_camera, axes, strict=True):
        _linear(row.tolist(), x, y, axis)
        np.divide(axis, np.maximum(inverse_depth, 1e-6), out=axis)
        np.subtract(axis, np.float32(row @ ball.centre_m), out=axis)
    u, v = _wrap(axes)
    hits.keep(window, ball.number, inside, (inverse_depth, u * inverse_depth, v * inverse_depth))


def _linear(row: list[float], x: FloatImage, y: FloatImage, out: FloatImage) -> None:
    """``row @ (x, y, 1)`` for every ray, in one pass."""
    cv2.addWeighted(x, row[0], y, row[1], row[2], dst=out)


def _wrap(normal: list[FloatImage]) -> tuple[FloatImage, FloatImage]:
    """Texture coordinates of normals (x, y, z) in the ball's frame, each (H, W)."""
    x, y, z = normal
    azimuth, latitude = np.arctan2(z, x), np.arcsin(np.clip(y, -1, 1))
    return azimuth * np.float32(1 / np.pi), latitude * np.float32(2 / np.pi)
