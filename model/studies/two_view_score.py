"""How exact and how honest a two-view bundle is on generated pairs, which training has not seen.

``python -m model.studies.two_view_score BUNDLE --textures DIR`` prints the errors where the match is known, and for
ten ranges of certainty the share of cells whose match is less than 1 px off; a cell without a partner is never right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model.base.cli import run_tool
from model.base.loop import normalize
from model.base.onnx_file import INPUTS
from model.data.loader import batches
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas
from model.data.two_view_pairs import TwoViewBatch, TwoViewRenderer
from model.data.two_view_scenes import TwoViewSampler
from model.tiny_roma.loss import at_cells
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import load_card
from roma_device.runtime.engine import Engine, EngineOptions, Precision, open_engine

SEED = 20_000
"""Apart from the seeds of training and calibration."""
GOOD_PX = 1.0
BINS = 10

Floats = npt.NDArray[np.float64]


def measured(engine: Engine, stride: int, pair: TwoViewBatch) -> tuple[Floats, Floats]:
    """Certainty and error in px of each cell, infinite where the match is not known: (N,) twice."""
    for name, image in zip(INPUTS, (pair.a, pair.b), strict=True):
        engine.inputs[name][...] = normalize(image).numpy()
    engine.run()
    position, known = at_cells(pair, stride)
    height, width = pair.a.shape[2:]
    off = torch.from_numpy(engine.outputs["warp"].copy()) - position
    error_px = torch.hypot(off[:, 0] * width / 2, off[:, 1] * height / 2)
    error_px[~known] = torch.inf
    certainty = torch.sigmoid(torch.from_numpy(engine.outputs["certainty"].copy()))
    return certainty.double().flatten().numpy(), error_px.double().flatten().numpy()


def report(certainty: Floats, error_px: Floats) -> str:
    """The table."""
    known = error_px[np.isfinite(error_px)]
    lines = [
        f"{len(known)} matches known: median {np.median(known):.2f} px, "
        + ", ".join(f"{100 * (known < limit).mean():.1f} % within {limit:g} px" for limit in (0.5, 1, 3)),
    ]
    lines += ["certainty     cells   mean certainty   within 1 px"]
    for low in np.arange(BINS) / BINS:
        chosen = (certainty >= low) & (certainty < low + 1 / BINS + (low + 1 / BINS >= 1))
        if chosen.any():
            share, mean = (error_px[chosen] < GOOD_PX).mean(), certainty[chosen].mean()
            lines.append(
                f"{low:.1f} to {low + 1 / BINS:.1f} {chosen.sum():9} {100 * mean:14.1f} % {100 * share:11.1f} %"
            )
    sure = error_px[certainty >= 0.5]
    lines.append(f"of the {100 * len(sure) / len(error_px):.1f} % with at least 0.5: median {np.median(sure):.2f} px")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--textures", type=Path, help="folder of natural images (*.jpg)")
    parser.add_argument("--count", type=int, default=48, help="pairs")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), metavar=("W", "H"), help="px")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    card, size, precision = load_card(arguments.bundle), Size(*arguments.size), arguments.precision
    engine = open_engine(card, "onnx", EngineOptions(size, 1, precision=_precision(precision)))
    atlas = Atlas(build_atlas(arguments.textures, 60))
    stream = batches(
        TwoViewSampler(size, 1, len(atlas), seed=SEED), TwoViewRenderer(atlas, size), 0, arguments.count, workers=0
    )
    found = [measured(engine, card.outputs[0].strides[0], pair) for pair in stream]
    print(report(np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])))


def _precision(name: str) -> Precision:
    return "int8" if name == "int8" else "fp32"


if __name__ == "__main__":
    run_tool(main)
