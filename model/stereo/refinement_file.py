"""ONNX file of the second stage: ``python -m model.stereo.refinement_file CHECKPOINT FILE.onnx [--size W H]``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import onnx
import torch

from model.base.checkpoint import load_averaged
from model.base.cli import run_tool
from model.base.onnx_file import check_operators, exported_from

from .cells import COLUMNS, ROWS
from .refinement import DISPARITIES, HINTS, Refinement, RefinementConfig

INPUTS = {
    "left": (1, 1, 1),
    "warped": (1, 1, 1),
    "disparity": (DISPARITIES, ROWS, COLUMNS),
    "hints": (HINTS, ROWS, COLUMNS),
}
"""Name -> channels, and px of the image per row and column."""
DEFAULT_SIZE = (640, 320)
OUTPUTS = {"parts": (ROWS * COLUMNS, ROWS, COLUMNS), "certainty": (1, ROWS, COLUMNS)}


def load_refinement(checkpoint: Path) -> tuple[Refinement, dict[str, Any]]:
    """The averaged weights of ``checkpoint``, ready for inference, and what else it says."""
    return load_averaged(checkpoint, lambda variant: Refinement(RefinementConfig.load(variant)))


def to_onnx(network: Refinement, size: tuple[int, int], is_open: bool) -> onnx.ModelProto:
    """Opset 17, batch norm folded, only operators that both NPUs know; ``size`` is (width, height) of the images."""
    width, height = size
    example = {name: torch.zeros(1, c, height // rows, width // columns) for name, (c, rows, columns) in INPUTS.items()}
    axes = {name: _axes(rows, columns) for name, (_, rows, columns) in (INPUTS | OUTPUTS).items()} if is_open else None
    model = exported_from(network, example, tuple(OUTPUTS), axes)
    check_operators(model)
    return model


def _axes(rows: int, columns: int) -> dict[int, str]:
    return {2: "height" if rows == 1 else f"height_{rows}", 3: "width" if columns == 1 else f"width_{columns}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), help="images of this size alone, for an NPU")
    arguments = parser.parse_args()
    network, _ = load_refinement(arguments.checkpoint)
    model = to_onnx(network, tuple(arguments.size or DEFAULT_SIZE), is_open=arguments.size is None)
    arguments.target.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    run_tool(main)
