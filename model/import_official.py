"""Published weights as a bundle: ``python -m model.import_official tiny_roma_v1_outdoor.pth --output bundle``.

Takes a state dict of TinyRoMa as in Parskatt/RoMa, or of XFeat as in verlab/accelerated_features, which gives a
backbone alone: its matchers stay random, and the bundle says so. The variant must have the published widths. Neither
file comes with this project.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roma_device.runtime.card import ModelError

from .base.cli import run_tool
from .tiny_roma.config import TinyRomaConfig
from .tiny_roma.export import write_bundle
from .tiny_roma.network import TinyRoma

XFEAT_PREFIXES = ("xfeat.0.", "xfeat.")
BACKBONE = ("skip1", "block1", "block2", "block3", "block4", "block5", "block_fusion")
MATCHERS = ("coarse_matcher", "fine_matcher")
_COUNTER = "num_batches_tracked"


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint; nothing else in it is run. Raises ModelError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot read it ({error.strerror})", exit_code=os.EX_NOINPUT) from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError):
        raise ModelError(f"{path}: not a whole file of torch weights; download it again") from None
    if isinstance(state, Mapping) and isinstance(state.get("model"), Mapping):
        state = state["model"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no state dict, a mapping of names to tensors")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def renamed(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Published names -> ours: ``xfeat.0.block1.0.layer.0.weight`` is ``backbone.block1.0.0.weight``."""
    prefix = next((one for one in XFEAT_PREFIXES if f"{one}block1.0.layer.0.weight" in state), "")
    if f"{prefix}block1.0.layer.0.weight" not in state:
        raise ModelError(f"{path}: neither TinyRoMa nor XFeat: no tensor xfeat.0.block1.0.layer.0.weight")
    ours = {}
    for name, value in state.items():
        inner = name.removeprefix(prefix)
        part = inner.split(".")[0]
        if inner.startswith(BACKBONE) and name.startswith(prefix):
            ours["backbone." + _without_layer(inner)] = value
        elif part in MATCHERS and prefix:  # XFeat alone has a fine_matcher too, of another kind
            ours[_without_layer(name)] = value
    return ours


def _without_layer(name: str) -> str:
    return re.sub(r"\.layer\.", ".", name)


def load_into(network: TinyRoma, weights: Mapping[str, Tensor], path: Path) -> list[str]:
    """Fill ``network``; returns the parts that the file has nothing for.

    Parts of the file that the variant leaves out are passed over. Raises ModelError, which names the tensor,
    where one of a part is missing or has another shape.
    """
    wanted = network.state_dict()
    parts = {_part(name) for name in weights}
    absent = sorted({_part(name) for name in wanted} - parts - {"enlarge"})
    if "backbone" in absent:
        raise ModelError(f"{path}: has no backbone")
    found = {}
    for name, like in wanted.items():
        if _part(name) not in parts or name.endswith(_COUNTER) or _is_enlargement(name):
            continue
        if name not in weights:
            raise ModelError(f"{path}: lacks {name}, which the variant needs")
        if weights[name].shape != like.shape:
            got, expected = ("x".join(map(str, one.shape)) for one in (weights[name], like))
            raise ModelError(f"{path}: {name} is {got}, the variant needs {expected}")
        found[name] = weights[name]
    network.load_state_dict(found, strict=False)
    return absent


def _part(name: str) -> str:
    return name.split(".")[0]


def _is_enlargement(name: str) -> bool:
    """Learned enlargement, which no published file has: it starts as bilinear, which equals theirs."""
    return ".from_" in name or name.startswith("enlarge.")


def import_weights(path: Path, variant: str, size: tuple[int, int], folder: Path) -> str:
    """Write the bundle and return a sentence about it; raises ModelError."""
    config = TinyRomaConfig.load(variant)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    weights = renamed(read_state(path), path)
    torch.manual_seed(0)
    network = TinyRoma(config).eval()
    absent = load_into(network, weights, path)
    lacking = f"; random, not in the file: {', '.join(absent)}" if absent else ""
    facts: dict[str, Any] = {
        "trained_on": f"published weights {path.name}, sha256 {digest}, variant {variant}{lacking}"
    }
    write_bundle(network, size, folder, folder.name, **facts)
    return f"{folder}: {facts['trained_on']}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="state dict (.pth, .pt)")
    parser.add_argument("--variant", default="tiny_roma", help="a variant of the published widths")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 320), metavar=("W", "H"), help="px, multiples of 32")
    parser.add_argument("--output", type=Path, required=True, help="bundle folder")
    arguments = parser.parse_args(words)
    print(import_weights(arguments.file, arguments.variant, tuple(arguments.size), arguments.output))


if __name__ == "__main__":
    run_tool(main)
