"""A variant as a bundle: ``python -m model.tiny_roma.export runs/tiny/checkpoint.pt --output bundle``.

With a variant's name in place of a checkpoint the weights are random: enough for ``roma-device model check`` and for
measuring speed, useless for matching. The size is fixed, since the graph holds the coordinates of its cells.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import onnx
import torch

from model.base.checkpoint import load_averaged
from model.base.cli import run_tool
from model.base.onnx_file import INPUTS, exported, write_files
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError

from .config import TinyRomaConfig, names
from .network import TinyRoma
from .staged import write_staged

OUTPUTS = ("warp", "certainty")
CONVENTION = {
    "two_view": "warp: x, y in the right image in [-1, 1] from border to border; certainty: logit",
    "stereo": "warp: x, y in the rectified right image in [-1, 1] from border to border; certainty: logit",
}


def to_onnx(network: TinyRoma, size: tuple[int, int]) -> onnx.ModelProto:
    """Opset 17, batch norm folded, no shape arithmetic; ``size`` is (width, height), multiples of 32.

    Raises ModelError for other sizes.
    """
    check_size(size)
    return exported(network, size, OUTPUTS)


def check_size(size: tuple[int, int]) -> None:
    """Raise ModelError where the network does not take images of ``size`` (width, height)."""
    if min(size) < 32 or size[0] % 32 or size[1] % 32:
        raise ModelError(f"size {size[0]}x{size[1]}: both must be multiples of 32", exit_code=os.EX_USAGE)


def write_bundle(network: TinyRoma, size: tuple[int, int], folder: Path, name: str, **facts: Any) -> None:
    """ONNX file and card; ``facts`` are more keys of the card."""
    config, (width, height) = network.config, size
    cells = [height // config.stride, width // config.stride]
    card = {
        "inputs": [{"name": one, "shape": [1, 1, height, width], "dtype": "float32"} for one in INPUTS],
        "outputs": [
            {"name": one, "shape": [1, channels, *cells], "dtype": "float32", "stride": config.stride}
            for one, channels in zip(OUTPUTS, (2, 1), strict=True)
        ],
        **conventions(config, size),
        **facts,
    }
    write_files(folder, name, task_of(config), to_onnx(network, size), card)


def write_staged_bundle(network: TinyRoma, size: tuple[int, int], folder: Path, **facts: Any) -> None:
    """The same model as several graphs, without grid_sample or gathers (``staged.py``)."""
    check_size(size)
    card = {"task": task_of(network.config), **conventions(network.config, size), **facts}
    write_staged(network, Size(*size), folder, card)


def task_of(config: TinyRomaConfig) -> str:
    return "stereo" if config.stereo else "two_view"


def conventions(config: TinyRomaConfig, size: tuple[int, int]) -> dict[str, Any]:
    """What a card says of the whole."""
    return {
        "normalization": config.normalization if config.normalization in ("preprocess", "none") else "in_graph",
        "convention": CONVENTION[task_of(config)],
        "size_multiple": 32,
        "default_size": list(size),
    }


def load_network(source: str, seed: int = 0) -> tuple[TinyRoma, dict[str, Any]]:
    """From a checkpoint, or with random weights from the name of a variant; and what a card should say of it.

    Raises ModelError where ``source`` is neither, or a checkpoint of another network.
    """
    if source in names():
        torch.manual_seed(seed)
        return TinyRoma(TinyRomaConfig.load(source)).eval(), {
            "trained_on": f"nothing: random weights, variant {source}"
        }
    if not Path(source).is_file():
        known = ", ".join(names())
        raise ModelError(f"{source!r} is neither a checkpoint nor a variant; known: {known}", exit_code=os.EX_NOINPUT)
    network, origin = load_averaged(Path(source), lambda variant: TinyRoma(TinyRomaConfig.load(variant)))
    return network, {"trained_on": f"synthetic pairs, {origin['step']} steps, variant {origin['variant']}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="checkpoint, or name of a variant for random weights")
    parser.add_argument("--output", type=Path, required=True, help="bundle folder")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 320), metavar=("W", "H"), help="px, multiples of 32")
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    parser.add_argument(
        "--staged",
        action="store_true",
        help="several graphs without grid_sample; the host fetches features between them",
    )
    arguments = parser.parse_args()
    network, facts = load_network(arguments.source, arguments.seed)
    if arguments.staged:
        write_staged_bundle(network, tuple(arguments.size), arguments.output, **facts)
    else:
        write_bundle(network, tuple(arguments.size), arguments.output, arguments.output.name, **facts)


if __name__ == "__main__":
    run_tool(main)
