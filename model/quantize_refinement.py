"""Post-training quantization of the second stage: ``python -m model.quantize_refinement CHECKPOINT FILE.onnx``.

The convolutions of the hourglass in 8 bits (QDQ form; weights of 7, which x86 without VNNI adds without overflow);
features, similarities and positions in float. Calibrated on what the stage is given for generated pairs: half of the
inputs come from the first stage, half from its own result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .base.cli import run_tool
from .base.loop import normalize
from .data.loader import batches
from .data.stereo_pairs import PairRenderer, SceneSampler
from .data.texture_atlas import Atlas
from .data.textures import build_atlas
from .quantize import CALIBRATION_SEED, Inputs, Samples, quantize
from .stereo.bundle import load_network
from .stereo.hints import cell_disparities, hints, warp
from .stereo.network import RowStereo
from .stereo.passes import Found, after_passes, found_first
from .stereo.refinement import Refinement
from .stereo.refinement_file import DEFAULT_SIZE, load_refinement, to_onnx
from .stereo.refinement_pairs import guess

WEIGHT_BITS = 7
IN_FLOAT = ("/features", "/match", "/score/", "/free/", "/gate/", "/guide.1")
"""Parts that stay in float: in 8 bits they lose a part of a pixel, and bad-1 of the real pairs rises by 14 %."""
FIRST = Path(__file__).parent / "checkpoints" / "stereo.pt"


def calibration_inputs(first: RowStereo, second: Refinement, atlas: Atlas, count: int) -> Iterator[Inputs]:
    """What ``second`` is given for ``count`` generated pairs."""
    sampler = SceneSampler(DEFAULT_SIZE, 1, len(atlas), seed=CALIBRATION_SEED, room_share=0.5, close_share=0.3)
    renderer = PairRenderer(atlas, DEFAULT_SIZE, clean_share=0.5)
    for index, pairs in enumerate(batches(sampler, renderer, 0, count, workers=0)):
        left, right = normalize(pairs.left), normalize(pairs.right)
        one = guess(first, pairs)
        found = found_first(one.disparity_px, one.certainty)
        yield _inputs(left, right, after_passes(second, left, right, found, index % 2))


def _inputs(left: Tensor, right: Tensor, found: Found) -> Inputs:
    cells = cell_disparities(found.disparity_px)
    known = {"left": left, "warped": warp(right, found.disparity_px), "disparity": cells}
    known["hints"] = hints(cells[:, :1], found.certainty)
    return {name: np.ascontiguousarray(value) for name, value in known.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--first", type=Path, default=FIRST, help="checkpoint of the first stage")
    parser.add_argument("--textures", type=Path, help="folder of natural images (*.jpg)")
    parser.add_argument("--count", type=int, default=32, help="pairs to calibrate on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    (first, _), (second, _) = load_network(arguments.first), load_refinement(arguments.checkpoint)
    inputs = calibration_inputs(first, second, Atlas(build_atlas(arguments.textures, 60)), arguments.count)
    model = to_onnx(second, DEFAULT_SIZE, is_open=True).SerializeToString()
    arguments.target.write_bytes(quantize(model, Samples(inputs), WEIGHT_BITS, IN_FLOAT))


if __name__ == "__main__":
    run_tool(main)
