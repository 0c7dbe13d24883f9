"""Texture set of synthetic surfaces: natural images and procedural patterns.

``python -m model.data.textures DIR atlas.npz`` stores one for machines that have no OpenCV.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from model.base.cli import run_tool
from roma_device.runtime.card import ModelError

FloatArray = npt.NDArray[np.float32]
SIDE_PX = 384


def build_atlas(folder: Path | None, procedural: int, seed: int = 0) -> torch.Tensor:
    """(N, SIDE_PX, SIDE_PX) float32 in [0, 1]: the images of ``folder`` (if any), then procedural patterns.

    Raises ModelError where the folder holds no images, or a damaged one.
    """
    rng = np.random.default_rng(seed)
    natural = _all_natural(folder) if folder else []
    patterns = [PATTERNS[i % len(PATTERNS)](rng) for i in range(procedural)]
    return torch.from_numpy(np.stack([*natural, *patterns]).astype(np.float32))


def _all_natural(folder: Path) -> list[FloatArray]:
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise ModelError(f"{folder}: holds no *.jpg to use as textures", exit_code=os.EX_NOINPUT)
    return [_natural(path) for path in paths]


def _natural(path: Path) -> FloatArray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ModelError(f"{path}: not an image")
    side = min(image.shape)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    interpolation = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_CUBIC
    resized = cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=interpolation)
    return np.asarray(resized / np.float32(255), np.float32)


def _stretch(values: FloatArray) -> FloatArray:
    low, high = np.percentile(values, [0.5, 99.5])
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1), np.float32)


def fractal_noise(rng: np.random.Generator) -> FloatArray:
    """Octaves of smooth noise; the roughness is random."""
    roughness = rng.uniform(0.4, 1.1)
    total = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    for octave in range(1, 8):
        cells = 2**octave
        grid = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32)
        total += roughness**octave * cv2.resize(grid, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    return _stretch(total)


def bricks(rng: np.random.Generator) -> FloatArray:
    """Rows of shifted rectangles with random tones and joints."""
    height, width = rng.integers(12, 48), rng.integers(24, 96)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    row = y // height
    column = (x + (row % 2) * (width // 2)) // width
    tone = rng.uniform(0.3, 1, (64, 64)).astype(np.float32)[row % 64, column % 64]
    joint = rng.integers(1, 5)
    mortar = (y % height < joint) | ((x + (row % 2) * (width // 2)) % width < joint)
    return _stretch(np.where(mortar, rng.uniform(0, 1), tone) + 0.15 * fractal_noise(rng))


def stripes(rng: np.random.Generator) -> FloatArray:
    """Bars of irregular width in one direction, blurred a little."""
    edges = np.cumsum(rng.integers(3, 40, 200))
    bars = rng.uniform(0, 1, 201)[np.searchsorted(edges, np.arange(3 * SIDE_PX))].astype(np.float32)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    angle = rng.uniform(0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle) + SIDE_PX).astype(int)
    return np.asarray(cv2.GaussianBlur(bars[along], (0, 0), rng.uniform(0.5, 1.5)))


def checks(rng: np.random.Generator) -> FloatArray:
    """A regular board: matches repeat along the row."""
    period = rng.integers(8, 40)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    board = ((x // period + y // period) % 2).astype(np.float32)
    return _stretch(board + rng.uniform(0, 0.5) * fractal_noise(rng))


def grating(rng: np.random.Generator) -> FloatArray:
    """Equal bars, as of railings, blinds or cladding: nothing tells one from the next."""
    period, share = rng.uniform(7, 48), rng.uniform(0.2, 0.8)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    angle = rng.normal(0, 0.1) if rng.random() < 0.7 else rng.uniform(0, np.pi)
    phase = ((x * np.cos(angle) + y * np.sin(angle)) / period) % 1
    bars = np.clip((share / 2 - np.abs(phase - 0.5)) * period + 0.5, 0, 1)
    return np.asarray(bars * rng.uniform(0.4, 1) + rng.uniform(0, 0.08) * fractal_noise(rng), np.float32).clip(0, 1)


def lattice(rng: np.random.Generator) -> FloatArray:
    """The same small thing at every crossing of a grid, as of windows, tiles or perforated sheet."""
    cell = np.asarray(cv2.GaussianBlur(rng.uniform(0, 1, (12, 12)).astype(np.float32), (0, 0), rng.uniform(0.7, 2)))
    height, width = rng.integers(10, 64, 2)
    tile = cv2.resize(cell, (int(width), int(height)), interpolation=cv2.INTER_CUBIC)
    tiled = np.tile(tile, (SIDE_PX // int(height) + 1, SIDE_PX // int(width) + 1))[:SIDE_PX, :SIDE_PX]
    return _stretch(tiled + rng.uniform(0, 0.1) * fractal_noise(rng))


def blobs(rng: np.random.Generator) -> FloatArray:
    """Discs, boxes and lines of random tones over each other, like print or clutter."""
    canvas = np.full((SIDE_PX, SIDE_PX), rng.uniform(0, 1), np.float32)
    for _ in range(int(rng.integers(60, 400))):
        x, y = map(int, rng.integers(0, SIDE_PX, 2))
        size = int(rng.integers(2, 40))
        tone = float(rng.uniform(0, 1))
        match rng.integers(3):
            case 0:
                cv2.circle(canvas, (x, y), size, tone, -1, cv2.LINE_AA)
            case 1:
                cv2.rectangle(canvas, (x, y), (x + size, y + int(rng.integers(2, 40))), tone, -1)
            case _:
                end = (x + int(rng.integers(-60, 60)), y + int(rng.integers(-60, 60)))
                cv2.line(canvas, (x, y), end, tone, int(rng.integers(1, 6)), cv2.LINE_AA)
    return canvas


def speckle(rng: np.random.Generator) -> FloatArray:
    """Fine grain: sand, asphalt, plaster."""
    grain = rng.standard_normal((SIDE_PX, SIDE_PX)).astype(np.float32)
    return _stretch(np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.6, 2.5))) + 0.3 * fractal_noise(rng))


PATTERNS: tuple[Callable[[np.random.Generator], FloatArray], ...] = (
    fractal_noise,
    bricks,
    stripes,
    checks,
    grating,
    lattice,
    blobs,
    speckle,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="natural images (*.jpg)")
    parser.add_argument("output", type=Path, help="file to write (.npz)")
    parser.add_argument("--patterns", type=int, default=160, help="number of procedural textures")
    arguments = parser.parse_args()
    atlas = build_atlas(arguments.folder, arguments.patterns)
    np.savez_compressed(arguments.output, textures=(atlas * 255).round().to(torch.uint8).numpy())


if __name__ == "__main__":
    run_tool(main)
