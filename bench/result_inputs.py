"""Inputs of the regression test of results: one pair in every kind of image file and name that was tried.

They are written by OpenCV from a fixed texture, so that any tree makes the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]
SHIFT_PX = 9


def texture(width: int = 200, height: int = 120) -> Array:
    """(H, W + SHIFT_PX, 3) uint8."""
    noise = np.random.default_rng(7).integers(0, 256, (height, width + SHIFT_PX, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0)


def grey(image: Array) -> Array:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


KINDS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "colour": ("{}/0001.png", lambda image: image),
    "grey": ("{}/0001.png", grey),
    "16 bit": ("{}/0001.png", lambda image: grey(image).astype(np.uint16) * 257),
    "12 of 16 bit": ("{}/0001.png", lambda image: grey(image).astype(np.uint16) * 16),
    "RGBA": ("{}/0001.png", lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)),
    "jpeg": ("{}/0001.jpg", lambda image: image),
    "webp": ("{}/0001.webp", lambda image: image),
    "tiff": ("{}/0001.tiff", lambda image: image),
    "tiff 16 bit": ("{}/0001.tiff", lambda image: grey(image).astype(np.uint16) * 257),
    "bmp": ("{}/0001.bmp", lambda image: image),
    "pgm": ("{}/0001.pgm", grey),
    "odd size": ("{}/0001.png", lambda image: image[:97, : 151 + SHIFT_PX]),
    "commas": ("a, b/{}/x,y.png", lambda image: image),
    "spaces": ("with spaces/{}/my pair 1.png", lambda image: image),
}
"""What it is -> file of a side, and how the texture is stored."""


def write_inputs(folder: Path) -> Iterator[tuple[str, str]]:
    """Write all into ``folder``; yields what each is, and LEFT,RIGHT relative to the folder's parent."""
    for name, (pattern, stored) in KINDS.items():
        whole = stored(texture())
        width = whole.shape[1] - SHIFT_PX
        paths = []
        for side, start in (("left", 0), ("right", SHIFT_PX)):
            path = folder / name / pattern.format(side)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.ascontiguousarray(whole[:, start : start + width]))
            paths.append(str(path.relative_to(folder.parent)))
        yield name, ",".join(paths)
