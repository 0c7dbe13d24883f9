"""Variations of pose pairs: the second image rolled, either one zoomed, a corner cut out; the truth follows exactly.

A roll about the optical axis, a zoom and a crop change the image, the camera matrix and the rotation alone, whatever
the depth of the scene: pairs whose pose is known give others whose pose is known as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.calibration.arrays import FloatArray, Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose

View = tuple[Image, CameraModel]

ROLLS_DEG = tuple(range(15, 360, 15))
SCALES = (0.4, 0.5, 0.63, 0.8, 1.25, 1.6, 2.0, 2.5)
CROPS = tuple(product((0.0, 1.0), (0.0, 1.0)))
CROP_SHARE = 0.7
"""Of the width and the height that a crop keeps."""

BOTH_ROLLS_DEG, BOTH_SCALES = (30, 90, 180, 225), (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Variation:
    """One change of a pair; the default leaves it as it is."""

    kind: str = "as they are"
    roll_deg: float = 0.0  # of the second camera about its axis, clockwise as its image shows it
    scale: float = 1.0  # size of things in the second image over that in the first, against what it was
    corner: tuple[float, float] | None = None  # where the crop of the second image lies: 0 left or top, 1 the other

    @property
    def name(self) -> str:
        turn = [f"roll {self.roll_deg:g}"] if self.roll_deg else []
        zoom = [f"scale {self.scale:g}"] if self.scale != 1 else []
        cut = [] if self.corner is None else [f"crop at {_CORNER_NAMES[self.corner]}"]
        return ", ".join(turn + zoom + cut) or self.kind

    def of(self, a: View, b: View, b_from_a: Pose) -> tuple[View, View, Pose]:
        """The pair changed, with the pose that it then has."""
        if self.roll_deg:
            b, b_from_a = rolled(b, self.roll_deg), _roll(self.roll_deg) @ b_from_a
        if self.scale > 1:
            b = cropped(b, 1 / self.scale, (0.5, 0.5))
        elif self.scale < 1:
            a = cropped(a, self.scale, (0.5, 0.5))
        if self.corner is not None:
            b = cropped(b, CROP_SHARE, self.corner)
        return a, b, b_from_a


AS_THEY_ARE = Variation()
_CORNER_NAMES = {(0.0, 0.0): "top left", (0.0, 1.0): "bottom left", (1.0, 0.0): "top right", (1.0, 1.0): "bottom right"}


def _both() -> Iterator[Variation]:
    for roll_deg, scale in product(BOTH_ROLLS_DEG, BOTH_SCALES):
        yield Variation("both", roll_deg, scale)


VARIATIONS: dict[str, Callable[[], Iterator[Variation]]] = {
    "roll": lambda: (Variation("roll", roll_deg=angle) for angle in ROLLS_DEG),
    "scale": lambda: (Variation("scale", scale=scale) for scale in SCALES),
    "crop": lambda: (Variation("crop", corner=corner) for corner in CROPS),
    "both": _both,
}
"""Kind -> its variations; "both" is a roll and a scale at once."""


def variations(kinds: Sequence[str]) -> list[Variation]:
    """The pairs as they are, and all variations of ``kinds``; raises EvaluationError for a kind that is not known."""
    if unknown := [kind for kind in kinds if kind not in VARIATIONS]:
        known = ", ".join(VARIATIONS)
        raise EvaluationError(f"--vary: there is no variation {unknown[0]!r}; known: {known}", exit_code=os.EX_USAGE)
    return [AS_THEY_ARE, *(one for kind in dict.fromkeys(kinds) for one in VARIATIONS[kind]())]


def rolled(view: View, angle_deg: float) -> View:
    """The camera turned about its axis; the canvas holds all of the image, corners outside of it are its mean grey."""
    image, camera = view
    turn = _roll(angle_deg).rotation
    warp = camera.matrix @ turn @ np.linalg.inv(camera.matrix)
    low, high = _bounds(warp, Size.of(image))
    size = Size(*(int(number) for number in np.ceil(high - low - 1e-6)))
    shift = np.array([[1, 0, -low[0] - 0.5], [0, 1, -low[1] - 0.5], [0, 0, 1.0]])
    turned = cv2.warpPerspective(
        image, shift @ warp, size, flags=cv2.INTER_LINEAR, borderValue=float(np.round(image.mean()))
    )
    return np.asarray(turned, np.uint8), CameraModel(size, shift @ camera.matrix, camera.distortion, camera.model)


def _bounds(warp: FloatArray, size: Size) -> tuple[FloatArray, FloatArray]:
    """Upper left and lower right (x, y) of what the corners of an image of ``size`` become."""
    corners = np.array([(x, y) for x in (-0.5, size.width - 0.5) for y in (-0.5, size.height - 0.5)])
    moved = cv2.perspectiveTransform(corners[None], warp)[0]
    return moved.min(axis=0), moved.max(axis=0)


def cropped(view: View, share: float, where: tuple[float, float]) -> View:
    """The ``share`` of the width and height that lies at ``where``: from (0, 0), top left, to (1, 1), bottom right."""
    image, camera = view
    height, width = image.shape
    size = Size(max(1, round(width * share)), max(1, round(height * share)))
    x, y = round((width - size.width) * where[0]), round((height - size.height) * where[1])
    matrix = camera.matrix - np.array([[0, 0, x], [0, 0, y], [0, 0, 0.0]])
    part = np.ascontiguousarray(image[y : y + size.height, x : x + size.width])
    return part, CameraModel(size, matrix, camera.distortion, camera.model)


def _roll(angle_deg: float) -> Pose:
    return Pose.from_rotation_vector(np.array([0, 0, np.deg2rad(angle_deg)]), np.zeros(3))
