"""A frozen validation set of generated pairs: ``python -m model.stereo.judged_pairs SET.npz --textures DIR``.

Half as good cameras see them, half as the training does. The file is kept, for the generator goes on changing; it is
too large for a repository.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.base.cli import run_tool
from model.data.loader import batches
from model.data.stereo_pairs import PairBatch, PairRenderer, SceneSampler
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas

SEED = 20_000
"""Apart from the seeds of training and calibration."""
SIZE = (640, 320)
CLOSE_SHARE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPair:
    """A pair and its truth."""

    left: npt.NDArray[np.uint8]  # (H, W)
    right: npt.NDArray[np.uint8]
    disparity_px: npt.NDArray[np.float32]  # (H, W)
    is_hidden: npt.NDArray[np.bool_]  # (H, W): not seen by the right camera, whatever the reason
    is_clean: bool


def drawn(textures: Path | None, count: int, size: tuple[int, int] = SIZE) -> Iterator[JudgedPair]:
    """``count`` pairs as good cameras see them and as many as the training sees."""
    atlas = Atlas(build_atlas(textures, 64))
    for is_clean in (True, False):
        sampler = SceneSampler(size, 1, len(atlas), seed=SEED + is_clean, close_share=CLOSE_SHARE)
        renderer = PairRenderer(atlas, size, clean_share=float(is_clean))
        for index, pair in enumerate(batches(sampler, renderer, 0, 2 * count, workers=0)):
            if index % 2 == 0:  # the other is its mirror image
                yield _as_judged(pair, is_clean)


def _as_judged(pair: PairBatch, is_clean: bool) -> JudgedPair:
    left, right = ((255 * image[0, 0]).round().byte().numpy() for image in (pair.left, pair.right))
    return JudgedPair(left, right, pair.disparity_px[0].numpy(), pair.occluded[0].numpy(), is_clean)


def write(pairs: Iterator[JudgedPair], path: Path) -> None:
    """One compressed file; disparities in 1/64 px."""
    every = list(pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        left=np.array([pair.left for pair in every]),
        right=np.array([pair.right for pair in every]),
        disparity=np.array([(64 * pair.disparity_px).round().astype(np.uint16) for pair in every]),
        hidden=np.array([pair.is_hidden for pair in every]),
        clean=np.array([pair.is_clean for pair in every]),
    )


def read(path: Path) -> list[JudgedPair]:
    """What ``write`` wrote; raises OSError."""
    with np.load(path) as file:
        left, right, hidden, clean = (file[name] for name in ("left", "right", "hidden", "clean"))
        disparity_px = file["disparity"].astype(np.float32) / 64
    every = zip(left, right, disparity_px, hidden, clean, strict=True)
    return [JudgedPair(a, b, d, h, bool(c)) for a, b, d, h, c in every]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--textures", type=Path, help="folder of natural images (*.jpg)")
    parser.add_argument("--count", type=int, default=64, help="of each half")
    arguments = parser.parse_args()
    write(drawn(arguments.textures, arguments.count), arguments.target)


if __name__ == "__main__":
    run_tool(main)
