"""Checkpoints of two stages -> bundle: ``python -m model.export_staged FIRST SECOND --passes 3 --output BUNDLE``.

Writes both graphs in fp32 and, with ``--textures``, in 8 bits (``model.quantize``, ``model.quantize_refinement``), open
to any size or for images of ``--size`` alone, and the card that says what the host does between them. With
``--measured`` and ``--measured-int8`` the card alone gets figures: of ``roma-device evaluate stereo ... --json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
import yaml

from roma_device.calibration.arrays import Size

from .base.cli import run_tool
from .base.npu_graph import for_npu
from .base.staged_files import Graphs, stage_entry, write_card
from .bundle_kind import STEREO
from .data.texture_atlas import Atlas
from .data.textures import build_atlas
from .quantize import Samples, generated_pairs, quantize
from .quantize_refinement import IN_FLOAT, WEIGHT_BITS, calibration_inputs
from .stereo import bundle as first_bundle
from .stereo import refinement_file
from .stereo.network import RowStereo
from .stereo.refinement import Refinement

NAMES = ("matching", "refinement")


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)
    if arguments.measured is not None or arguments.measured_int8 is not None:
        note(arguments.output / "card.yaml", {"": arguments.measured, "_int8": arguments.measured_int8})
        return
    (first, one), (second, two) = (
        first_bundle.load_network(arguments.first),
        refinement_file.load_refinement(arguments.second),
    )
    size = None if arguments.size is None else Size(*arguments.size)
    graphs = fp32_graphs(first, second, size)
    if arguments.textures is not None:
        for graph, model in zip(graphs, int8_graphs(first, second, arguments.textures, arguments.count), strict=True):
            graph["onnx_int8"] = model
    trained = [f"{origin['variant']} {origin['step']} steps" for origin in (one, two)]
    facts = {"min_confidence": arguments.min_confidence, "trained_on": f"{STEREO.domain}, {', '.join(trained)}"}
    write_staged(arguments.output, graphs, Staging(arguments.passes, arguments.enlarge, size), facts)


def fp32_graphs(first: RowStereo, second: Refinement, size: Size | None) -> tuple[Graphs, Graphs]:
    """Of both stages, open to any size where ``size`` (width, height) is None."""
    at = size or first_bundle.DEFAULT_SIZE
    return (
        {"onnx": for_npu(first_bundle.to_onnx(first, at, dynamic=size is None))},
        {"onnx": for_npu(refinement_file.to_onnx(second, at, is_open=size is None))},
    )


def int8_graphs(
    first: RowStereo, second: Refinement, textures: Path, count: int
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """8-bit files of both stages, calibrated on ``count`` generated pairs."""
    pairs = Samples(generated_pairs(STEREO, textures, count))
    of_first = quantize(for_npu(STEREO.for_int8(first)).SerializeToString(), pairs, WEIGHT_BITS)
    inputs = calibration_inputs(first, second, Atlas(build_atlas(textures, 60)), count)
    fp32 = for_npu(refinement_file.to_onnx(second, refinement_file.DEFAULT_SIZE, is_open=True))
    of_second = quantize(fp32.SerializeToString(), Samples(inputs), WEIGHT_BITS, IN_FLOAT)
    return onnx.load_from_string(of_first), onnx.load_from_string(of_second)


@dataclass(frozen=True, slots=True)
class Staging:
    """How a bundle runs its graphs."""

    passes: int  # of the second stage
    enlarge: float = 1.0  # images are seen so many times as wide as ``input_width`` says
    size: Size | None = None  # the only one of the graphs; None: open

    @property
    def default_size(self) -> Size:
        """Of the first graph's input."""
        return self.size or Size(*(round(self.enlarge * side / 32) * 32 for side in first_bundle.DEFAULT_SIZE))


def write_staged(folder: Path, graphs: tuple[Graphs, Graphs], staging: Staging, facts: Mapping[str, Any]) -> None:
    """The bundle ``folder``; ``facts`` are what the card says besides graphs and conventions."""
    folder.mkdir(parents=True, exist_ok=True)
    at = staging.default_size
    stages = [stage_entry(folder, name, graph, at) for name, graph in zip(NAMES, graphs, strict=True)]
    stages[1] |= {"host": "warp_right", "passes": staging.passes}
    card = {
        "name": folder.name,
        "task": "stereo",
        "stages": stages,
        "normalization": "preprocess",
        "convention": "x_right = x_left - disparity, input pixels, pixel centres at integers",
        "size_multiple": 32,
        "default_size": list(at),
        **({"enlarge": staging.enlarge} if staging.enlarge != 1 else {}),
        **facts,
    }
    write_card(folder / "card.yaml", card)


def note(path: Path, reports: Mapping[str, Path | None]) -> None:
    """Put the mean figures of evaluations into the card at ``path``; each key is a suffix of their names."""
    card = yaml.safe_load(path.read_text())
    for suffix, report in reports.items():
        if report is not None:
            mean = json.loads(report.read_text())["mean"]
            figures = {f"{name}{suffix}": round(mean[name], 4) for name in ("bad1", *STEREO.measured)}
            card["measured"] = card.get("measured", {}) | figures
    write_card(path, card)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("first", type=Path, help="checkpoint of the first stage")
    add("second", type=Path, help="checkpoint of the second stage")
    add("--output", type=Path, required=True, help="bundle folder; its name becomes the model's")
    add("--passes", type=int, default=1, help="of the second stage (1)")
    add("--enlarge", type=float, default=1.0, help="see images so many times as large (1)")
    add("--size", type=int, nargs=2, metavar=("W", "H"), help="images of this size alone, for an NPU")
    add("--textures", type=Path, help="folder of natural images (*.jpg) to calibrate 8-bit files on")
    add("--count", type=int, default=32, help="generated pairs to calibrate on (32)")
    add("--min-confidence", type=float, default=0.5, help="default threshold on the certainty (0.5)")
    add("--measured", type=Path, help="report of roma-device evaluate stereo ... --precision fp32 --json")
    add("--measured-int8", type=Path, help="the same of --precision int8")
    return parser.parse_args(words)


if __name__ == "__main__":
    run_tool(main)
