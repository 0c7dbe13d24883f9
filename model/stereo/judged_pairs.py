"""A frozen validation set of generated pairs: ``python -m model.stereo.judged_pairs SET.npz --textures DIR``.

Half as good cameras see them, half as the training does. The file is kept, for the generator goes on changing; it is
too large for a repository.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from model.base.cli import run_tool
from model.data.loader import batches
from model.data.stereo_pairs import PairBatch, PairRenderer, SceneSampler
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas

from .judged_file import JudgedPair, write

SEED = 20_000
"""Apart from the seeds of training and calibration."""
SIZE = (640, 320)
CLOSE_SHARE = 0.3


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--textures", type=Path, help="folder of natural images (*.jpg)")
    parser.add_argument("--count", type=int, default=64, help="of each half")
    arguments = parser.parse_args()
    write(drawn(arguments.textures, arguments.count), arguments.target)


if __name__ == "__main__":
    run_tool(main)
