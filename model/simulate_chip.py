"""A bundle that computes as an NPU would: ``python -m model.simulate_chip BUNDLE --precision u16 --output FOLDER``.

Its graphs round activations and weights as the vendor's compiler has them rounded (``model/kit/arithmetic.py``), so
that every command shows what that does: ``roma-device evaluate stereo INDEX --model FOLDER --engine onnx``, and
``roma-device verify FOLDER --reference BUNDLE --engine onnx``. Sizes stay as open as they are. Ranges are measured on
generated frames and on yours. Nothing here was compared with a chip.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.files import write_bytes
from roma_device.runtime.card import ModelCard, ModelError, load_card

from .base.cli import run_tool
from .kit.arithmetic import PRECISIONS, simulated
from .kit.graphs import CompilerGraph, bundle_folder, compiler_graphs, generated_frames, own_frames


def simulate(bundle: Path, folder: Path, graphs: Sequence[CompilerGraph]) -> None:
    """Write ``folder``, a copy of ``bundle`` with ``graphs`` as the NPU computes them."""
    text: dict[str, Any] = yaml.safe_load((bundle / "card.yaml").read_text())
    parts = text.get("stages", [text])
    folder.mkdir(parents=True, exist_ok=True)
    for part, graph in zip(parts, graphs, strict=True):
        data = simulated(graph.model, graph.samples, PRECISIONS[graph.precision]).SerializeToString()
        file = f"{graph.folder or text['name']}.{graph.precision}.onnx"
        write_bytes(folder / file, data)
        part["files"] = {"onnx": {"file": file, "sha256": hashlib.sha256(data).hexdigest()}}
    text["name"] = folder.name
    text.pop("measured", None)
    write_bytes(folder / "card.yaml", yaml.safe_dump(text, sort_keys=False, allow_unicode=True, width=110).encode())


def _frames(bundle: Path, card: ModelCard, size: Size, arguments: argparse.Namespace) -> Iterator[Any]:
    yield from generated_frames(bundle, card, size, arguments.count)
    yield from own_frames(arguments.frames, card, size)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("bundle", help="folder, or name of a bundled model")
    add("--precision", choices=sorted(PRECISIONS), nargs="+", default=["u16"], help="of each graph in turn (u16)")
    add("--output", type=Path, required=True, help="new folder")
    add("--size", type=int, nargs=2, metavar=("W", "H"), help="px, of the frames that ranges are measured on")
    add("--frames", type=Path, help="rectified pairs of yours to measure on: a folder with left/ and right/")
    add("--count", type=int, default=12, help="generated pairs to measure on (12)")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    arguments = parse(words)
    bundle = bundle_folder(arguments.bundle)
    card = load_card(bundle)
    if arguments.output.exists():
        raise ModelError(f"{arguments.output}: exists already", exit_code=os.EX_CANTCREAT)
    size = Size(*(arguments.size or card.fixed_size() or card.default_size))
    graphs = compiler_graphs(card, size, _frames(bundle, card, size, arguments), arguments.precision, True)
    simulate(bundle, arguments.output, graphs)


if __name__ == "__main__":
    run_tool(main)
