"""Alignment of two images before they are matched: both drawn on canvases of one size, the second one turned.

A network that was trained on upright pairs of about one scale knows others again once they are drawn upright and
equally large. Nothing is cropped: the whole of both images lies on the canvases.
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
        scale_a = min(1.0, _fitting_scale(size_b, turn_deg, size_a) / ratio)
        a = _image_from_canvas(size_a, size_a, 0.0, scale_a)
        return cls(size_a, a, _image_from_canvas(size_b, size_a, turn_deg, ratio * scale_a), turn_deg, ratio)

    def draw(self, a: Image, b: Image) -> tuple[Image, Image]:
        """Both canvases (H, W) of grey images; what lies outside of an image has its mean."""
        return _drawn(a, self.a_from_canvas, self.size), _drawn(b, self.b_from_canvas, self.size)

    def pairs(self, found: PointPairs) -> PointPairs:
        """Points on the canvases -> those in the images."""
        a, b = apply(self.a_from_canvas, found.a), apply(self.b_from_canvas, found.b)
        return PointPairs(a, b, found.certainty, found.block)

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


def _fitting_scale(image: Size, turn_deg: float, canvas: Size) -> float:
    """The largest scale at which an image turned by so much lies on the canvas."""
    cosine, sine = abs(np.cos(np.deg2rad(turn_deg))), abs(np.sin(np.deg2rad(turn_deg)))
    across, down = cosine * image.width + sine * image.height, sine * image.width + cosine * image.height
    return float(min(canvas.width / across, canvas.height / down))


def _image_from_canvas(image: Size, canvas: Size, turn_deg: float, scale: float) -> Affine:
    """Centre to centre; the image is drawn turned clockwise and at ``scale``."""
    angle = np.deg2rad(turn_deg)
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    middle_image, middle_canvas = (np.array(size) / 2 - 0.5 for size in (image, canvas))
    return np.column_stack([linear, middle_image - linear @ middle_canvas])


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
