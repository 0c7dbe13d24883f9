"""All that the NPU vendor's compiler needs for a bundle: ``python -m model.pulsar2 BUNDLE --chip AX650 --output kit``.

Writes of each graph of the bundle the ONNX file, ``build.json`` and calibration archives, in a folder of its own where
there are several; vectors to verify the result with; and a README with the commands.
``--precision`` says the bits of each graph, which ``python -m model.simulate_chip`` shows the effect of. Nothing here
runs the compiler; it was never tried with it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, load_card

from .base.cli import run_tool
from .kit.arithmetic import PRECISIONS
from .kit.files import Target, compiled_name, write_graph, write_sensitivity
from .kit.graphs import CompilerGraph, bundle_folder, compiler_graphs, generated_frames, make_vectors, own_frames
from .kit.sensitivity import Sensitivity

CHIPS = {"AX650": ("NPU1", "NPU2", "NPU3"), "AX620E": ("NPU1", "NPU2")}
VECTORS = "vectors"
MOST_SENSITIVE = 10


def make_kit(bundle: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """Fill the new folder ``folder``; raises ModelError."""
    card = load_card(bundle)
    _check(card, folder, arguments)
    size = Size(*(arguments.size or card.fixed_size() or card.default_size))
    own = [*own_frames(arguments.frames, card, size)]
    frames = chain(generated_frames(bundle, card, size, arguments.count), own)
    graphs = compiler_graphs(card, size, frames, arguments.precision)
    folder.mkdir(parents=True, exist_ok=True)
    make_vectors(bundle, folder / VECTORS, size, arguments.vectors)
    target = Target(arguments.chip, arguments.npu, arguments.input)
    layers = []
    for graph in graphs:
        write_graph(graph, folder / graph.folder, target)
        layers += write_sensitivity(graph, folder / graph.folder) if arguments.sensitivity else []
    (folder / "README.md").write_text(_readme(card, size, target, graphs) + _sensitive(layers))


def _check(card: ModelCard, folder: Path, arguments: argparse.Namespace) -> None:
    if arguments.npu not in CHIPS[arguments.chip]:
        known = ", ".join(CHIPS[arguments.chip])
        raise ModelError(f"{arguments.chip} has no mode {arguments.npu}; known: {known}", exit_code=os.EX_USAGE)
    if arguments.input == "u8" and (card.normalization == "preprocess" or card.stages):
        raise ModelError(
            f"model {card.name}: its images are normalized one by one, which a constant mean cannot do; "
            "use --input float",
            exit_code=os.EX_USAGE,
        )
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: a kit goes into a new or empty folder only", exit_code=os.EX_CANTCREAT)


def _readme(card: ModelCard, size: Size, target: Target, graphs: Sequence[CompilerGraph]) -> str:
    commands = "\n".join(map(_commands, graphs))
    bits = ", ".join(f"{graph.folder or 'the graph'}: {_bits(graph)}" for graph in graphs)
    return f"""# {card.name} for {target.chip}, {target.npu}, {size}
Made by `python -m model.pulsar2`. Not tried: no compiler and no board were at hand.

```sh
{commands}
roma-device verify BUNDLE --engine ax --vectors {VECTORS}   # on the board
```

Activations in `build.json`: {bits}. `model.onnx` has the positions of disparities as a product, which is exact: as
weights of a convolution they would have 8 bits. `python -m model.simulate_chip` shows on a host what a choice of bits
does, errors adding up. Never `highest_mix_precision`, at which the compiler was seen to end. On AX620E small models in
16 bits have failed to load: try `--precision mixed u16` there.
"""


def _sensitive(layers: Sequence[Sensitivity]) -> str:
    if not layers:
        return ""
    first = sorted(layers, key=lambda one: -one.change)[:MOST_SENSITIVE]
    worst = "\n".join(f"| `{one.layer}` | {one.op} | {one.change:.4f} |" for one in first)
    return f"""
`sensitivity.json` has what rounding the output of one layer alone to 256 levels changes, in standard deviations of the
first output: a layer high up is a bad one to set to U8, one low down need not be a good one, for errors add up.

| layer | operator | change |
|---|---|---|
{worst}
"""


def _commands(graph: CompilerGraph) -> str:
    """To be run in the kit's folder."""
    at = f"{graph.folder}/" if graph.folder else ""
    enter = f"(cd {graph.folder} && pulsar2 build --config build.json)" if at else "pulsar2 build --config build.json"
    vectors, model = f"{VECTORS}/{at}", f"{at}out/{compiled_name(graph)}"
    inputs, listed = f"{vectors}input", f"{vectors}list.txt"
    return f"""{enter}
pulsar2 run --model {model} --input_dir {inputs} --output_dir {at}simulated --list {listed}
ax_run_model -m {model} -i {inputs} -o {at}on-chip -l {listed}   # on the board"""


def _bits(graph: CompilerGraph) -> str:
    precision = PRECISIONS[graph.precision]
    if precision.convolutions == precision.others:
        return f"{precision.others} bits"
    return f"{precision.others} bits, {precision.convolutions} of what convolutions take (sums are reductions)"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("bundle", help="folder, or name of a bundled model")
    add("--chip", choices=sorted(CHIPS), required=True)
    add("--npu", default="NPU1", help="NPU1, NPU2 or NPU3: cores that it is compiled for (NPU1)")
    add("--output", type=Path, required=True, help="new folder")
    add("--size", type=int, nargs=2, metavar=("W", "H"), help="px, for bundles of open size")
    add("--precision", choices=sorted(PRECISIONS), nargs="+", default=["u16"], help="of each graph in turn (u16)")
    add("--input", choices=("float", "u8"), default="float", help="what the program will feed: normalized, or raw grey")
    add("--frames", type=Path, help="rectified pairs of yours to calibrate on: a folder with left/ and right/")
    add("--count", type=int, default=32, help="generated pairs to calibrate on (32)")
    add("--vectors", type=int, default=4, help="vectors for verification (4)")
    add(
        "--sensitivity",
        action="store_true",
        help="also measure what 8 bits in each layer alone do, which takes minutes",
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    arguments = parse(words)
    make_kit(bundle_folder(arguments.bundle), arguments.output, arguments)
    print(f"{arguments.output}: see its README.md")


if __name__ == "__main__":
    run_tool(main)
