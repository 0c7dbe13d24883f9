"""Texture atlas of a scene: all surfaces painted, lit and mipmapped, on one sheet.

One sheet means one cv2.remap per image. Every surface is there at scales of 1, 1/sqrt(2), 1/2 and so on
(mip levels, half an octave apart), so that what is far away does not flicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.app.simulation.scene import Scene, Sphere, Surface
from roma_device.app.simulation.textures import Swatch
from roma_device.calibration.arrays import FloatImage, Image, IntArray

from .lighting import Lighting

SHEET_WIDTH_PX = 2048
MOST_TEXELS = 1500
LEAST_TEXELS = 8
MARGIN_PX = 2
"""Repeated border of every picture: linear interpolation must not reach its neighbour."""


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceAtlas:
    """Texture atlas: the sheet; surface number n (from 1 on) lies at level k by row ``first[n] + k`` of the placements.

    A texture coordinate u in [-1, 1] lies at column ``offset_x + scale_x * u``, v at row ``offset_y + scale_y * v``.
    """

    sheet: Image  # (H, W, 3) BGR
    first: IntArray  # (N + 1,)
    top_level: FloatImage  # (N + 1,) the smallest picture's level
    texels_per_m: FloatImage  # (N + 1,)
    scale_x: FloatImage  # (rows,)
    offset_x: FloatImage
    scale_y: FloatImage
    offset_y: FloatImage


def paint_atlas(scene: Scene, focal_px: float, seed: int) -> SurfaceAtlas:
    """Paint every surface as finely as the camera can see it from the middle of its path."""
    background = np.zeros((LEAST_TEXELS, LEAST_TEXELS, 3), np.uint8)
    lighting = Lighting(scene)
    chains, densities = [[background]], [1.0]
    for number, surface in enumerate(scene.surfaces):
        distance_m = max(surface.distance_m(scene.trajectory.centre_m), 0.4)
        texels_per_m = min(surface.detail * focal_px / distance_m, MOST_TEXELS / max(surface.extent_m))
        rng = np.random.default_rng((seed, number))
        chains.append(_shrunk(_paint(lighting, surface, texels_per_m, rng)))
        densities.append(texels_per_m)
    return _pack(chains, densities)


def _paint(lighting: Lighting, surface: Surface, texels_per_m: float, rng: np.random.Generator) -> Image:
    width, height = (max(LEAST_TEXELS, round(side * texels_per_m)) for side in surface.extent_m)
    around = isinstance(surface, Sphere)
    colour = surface.paint(Swatch((height, width // 2 if around else width), texels_per_m, rng))
    if around:  # its own mirror image closes the ring without a seam
        colour = np.hstack([colour, colour[:, ::-1]])
    light = cv2.resize(lighting.on(surface, rng), colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(colour * light, 0, 255).astype(np.uint8))


def _shrunk(picture: Image) -> list[Image]:
    """The picture and its smaller versions, largest first."""
    height, width = picture.shape[:2]
    chain = [picture]
    while True:
        scale = 2 ** (-len(chain) / 2)
        size = round(width * scale), round(height * scale)
        if min(size) < LEAST_TEXELS:
            return chain
        chain.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)))


def _pack(chains: list[list[Image]], densities: list[float]) -> SurfaceAtlas:
    pictures = [picture for chain in chains for picture in chain]
    places, height = _shelves([picture.shape[:2] for picture in pictures])
    sheet = np.zeros((height, SHEET_WIDTH_PX, 3), np.uint8)
    for picture, (left, top) in zip(pictures, places, strict=True):
        framed = np.pad(picture, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), "edge")
        sheet[top : top + framed.shape[0], left : left + framed.shape[1]] = framed
    corner = np.array(places, np.float32) + MARGIN_PX
    half = np.array([picture.shape[1::-1] for picture in pictures], np.float32) * np.float32(0.5)
    offset = corner + half - np.float32(0.5)
    lengths = np.array([len(chain) for chain in chains])
    return SurfaceAtlas(
        sheet,
        np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp),
        (lengths - 1).astype(np.float32),
        np.array(densities, np.float32),
        *(np.ascontiguousarray(column, np.float32) for column in (half[:, 0], offset[:, 0], half[:, 1], offset[:, 1])),
    )


def _shelves(shapes: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Left and top of every framed picture on the sheet, and the sheet's height: rows filled by falling height."""
    places = [(0, 0)] * len(shapes)
    left = top = shelf = 0
    for index in sorted(range(len(shapes)), key=lambda index: -shapes[index][0]):
        height, width = shapes[index][0] + 2 * MARGIN_PX, shapes[index][1] + 2 * MARGIN_PX
        if left + width > SHEET_WIDTH_PX:
            left, top, shelf = 0, top + shelf, 0
        places[index] = (left, top)
        left, shelf = left + width, max(shelf, height)
    return places, top + shelf
