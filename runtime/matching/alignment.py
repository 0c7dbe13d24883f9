"""Alignment of two images before they are matched: both drawn on canvases of one size, the second one turned.

A network that was trained on upright pairs of about one scale knows others again once they are drawn upright and
equally large. While it is not known what the images share, the whole of both lies on the canvases, then only that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, Mask, Size
from roma_device.runtime.types import Matches

from .point_pairs import PointPairs

Affine = FloatArray
"""(2, 3): pixel (x, y, 1) -> pixel, pixel centres at integers."""

LEAST_SHARED_PX2 = 16.0

Box = tuple[FloatArray, FloatArray]
"""Centre (2,) and extent (2,)."""

MOST_ENLARGED = 3.0
"""An image is not drawn larger than this: there is nothing more to be seen in it."""

MARGIN_SHARE = 0.08
"""Of what both images share, added at each side: an affine map knows nothing of depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where the canvases' pixels lie in the images; both canvases have the size of the first image."""

    size: Size  # of the canvases
    a_from_canvas: Affine
    b_from_canvas: Affine
    turn_deg: float = 0.0  # by which the second image is turned, clockwise
    ratio: float = 1.0  # scale that the second image is drawn at over that of the first
    is_plain: bool = False  # a network squeezes the images so by itself

    @classmethod
    def squeezed(cls, size_a: Size, size_b: Size) -> Alignment:
        """The second image squeezed to the shape of the first, as a network takes it."""
        sx, sy = size_b.width / size_a.width, size_b.height / size_a.height
        b = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5]])
        return cls(size_a, np.eye(3)[:2], b, 0.0, float(1 / np.sqrt(sx * sy)), True)

    @classmethod
    def turned(cls, size_a: Size, size_b: Size, turn_deg: float, ratio: float) -> Alignment:
        """The second image turned, both as large as their canvases and ``ratio`` allow."""
        boxes = _box(_corners(size_a)), _box(_corners(size_b) @ _turn(turn_deg).T)
        return cls._of_boxes(size_a, turn_deg, ratio, *boxes)

    @classmethod
    def on_overlap(cls, size_a: Size, size_b: Size, b_from_a: Affine) -> Alignment | None:
        """What both images share by ``b_from_a``, upright and equally large; None where they share nothing."""
        outline = _overlap(size_a, size_b, b_from_a)
        scale = float(np.sqrt(abs(np.linalg.det(b_from_a[:, :2]))))
        if not len(outline) or scale < 1e-3:
            return None
        turn_deg = -float(np.rad2deg(np.arctan2(b_from_a[1, 0] - b_from_a[0, 1], b_from_a[0, 0] + b_from_a[1, 1])))
        turn = _turn(turn_deg)
        box_a = _shared_box(apply(cv2.invertAffineTransform(b_from_a), outline), _corners(size_a))
        box_b = _shared_box(outline @ turn.T, _corners(size_b) @ turn.T)
        return cls._of_boxes(size_a, turn_deg, 1 / scale, box_a, box_b)

    @classmethod
    def _of_boxes(cls, size: Size, turn_deg: float, ratio: float, box_a: Box, box_b: Box) -> Alignment:
        """Canvases of ``size`` on which the boxes just fit; that of b counts in the turned image."""
        (centre_a, extent_a), (centre_b, extent_b) = box_a, box_b
        fitting = min(float((np.array(size) / np.maximum(extent_a, extent_b * ratio)).min()), MOST_ENLARGED)
        scale_a = min(fitting, MOST_ENLARGED / ratio)
        a = _image_from_canvas(centre_a, size, 0.0, scale_a)
        b = _image_from_canvas(centre_b @ _turn(turn_deg), size, turn_deg, ratio * scale_a)
        return cls(size, a, b, turn_deg, ratio)

    def draw(self, a: Image, b: Image) -> tuple[Image, Image]:
        """Both canvases (H, W) of grey images; what lies outside of an image has its mean."""
        return _drawn(a, self.a_from_canvas, self.size), _drawn(b, self.b_from_canvas, self.size)

    def pairs(self, found: PointPairs) -> PointPairs:
        """Points on the canvases -> those in the images."""
        a, b = apply(self.a_from_canvas, found.a), apply(self.b_from_canvas, found.b)
        return PointPairs(a, b, found.certainty, found.block, found.confirmed)

    def certain_inside(self, matches: Matches, size_b: Size) -> Matches:
        """The matches on the canvases, certain only where both points lie inside the images."""
        warp, certainty = matches.warp, matches.certainty
        b = apply(self.b_from_canvas, warp.reshape(-1, 2)).reshape(warp.shape)
        y, x = np.mgrid[: self.size.height, : self.size.width]
        a = apply(self.a_from_canvas, np.column_stack([x.ravel(), y.ravel()])).reshape(warp.shape)
        inside = _inside(a, self.size) & _inside(b, size_b)
        return Matches(np.where(inside, certainty, np.float32(0)), two_view_warp=warp)

    @property
    def share_of_a(self) -> float:
        """Share of its canvas that the first image takes."""
        return float(1 / abs(np.linalg.det(self.a_from_canvas[:, :2])))


def apply(affine: Affine, points: FloatArray | FloatImage) -> FloatArray:
    """(N, 2) -> (N, 2)"""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def _inside(points: FloatArray, size: Size) -> Mask:
    return np.asarray(((points >= -0.5) & (points < np.array(size) - 0.5)).all(axis=-1))


def _corners(size: Size) -> FloatArray:
    """(4, 2) the image's corners, in order around it."""
    right, bottom = size.width - 0.5, size.height - 0.5
    return np.array([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)])


def _box(points: FloatArray) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, high - low


def _shared_box(outline: FloatArray, corners: FloatArray) -> Box:
    """The box around ``outline`` with a margin, no larger than that of the whole image."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    margin = MARGIN_SHARE * (high - low)
    return _box(np.clip([low - margin, high + margin], corners.min(axis=0), corners.max(axis=0)))


def _overlap(size_a: Size, size_b: Size, b_from_a: Affine) -> FloatArray:
    """(N, 2) outline in the second image of what both show."""
    moved = apply(b_from_a, _corners(size_a)).astype(np.float32)
    area_px2, outline = cv2.intersectConvexConvex(moved, _corners(size_b).astype(np.float32))
    shares_nothing = outline is None or area_px2 < LEAST_SHARED_PX2
    return np.empty((0, 2)) if shares_nothing else np.asarray(outline, np.float64).reshape(-1, 2)


def _turn(angle_deg: float) -> FloatArray:
    """(2, 2) clockwise, as the image shows it."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, -sine], [sine, cosine]])


def _image_from_canvas(centre: FloatArray, canvas: Size, turn_deg: float, scale: float) -> Affine:
    """``centre`` (2,) of the image to the canvas's middle; the image is drawn turned clockwise and at ``scale``."""
    linear = _turn(turn_deg).T / scale
    return np.column_stack([linear, centre - linear @ (np.array(canvas) / 2 - 0.5)])


def _drawn(image: Image, image_from_canvas: Affine, size: Size) -> Image:
    if Size.of(image) == size and np.array_equal(image_from_canvas, np.eye(3)[:2]):
        return image
    shrunk, affine = _shrunk(image, image_from_canvas)
    mean = float(np.round(image.mean()))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(shrunk, affine, size, flags=flags, borderValue=mean), np.uint8)


def _shrunk(image: Image, affine: Affine) -> tuple[Image, Affine]:
    """Averaged to about the canvas's resolution first: what samples more sparsely makes patterns that are not there."""
    step = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if step <= 1:
        return image, affine
    full = Size.of(image)
    size = Size(max(1, round(full.width / step)), max(1, round(full.height / step)))
    scale = np.array(size) / np.array(full)
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    shift = (affine[:, 2] + 0.5) * scale - 0.5
    return small, np.column_stack([affine[:, :2] * scale[:, None], shift])
