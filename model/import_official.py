"""Published weights as a bundle: ``python -m model.import_official tiny_roma_v1_outdoor.pth --output bundle``.

Takes a state dict of TinyRoMa as in Parskatt/RoMa, or of XFeat as in verlab/accelerated_features, which gives a
backbone alone: its matchers stay random, and the bundle says so. TinyRoMa trained with a frozen backbone is stored
without it: ``--backbone xfeat.pt`` adds that. The variant must have the published widths. Neither file comes with this
project.
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
GREY = "the mean of the colours as grey (this program feeds OpenCV's weighted grey)"
DEFAULT_VARIANT = "published"
PUBLISHED = TinyRomaConfig(normalization="preprocess", position="released")
"""As released, but normalized before the graph: InstanceNormalization of ONNX Runtime is not exact."""

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


def renamed(state: Mapping[str, Tensor], path: Path, backbone: Path | None = None) -> dict[str, Tensor]:
    """Published names -> ours: ``xfeat.0.block1.0.layer.0.weight`` is ``backbone.block1.0.0.weight``.

    ``backbone``: XFeat's file, for a TinyRoMa without one. Raises ModelError.
    """
    prefix = next((one for one in XFEAT_PREFIXES if f"{one}block1.0.layer.0.weight" in state), "")
    if f"{prefix}block1.0.layer.0.weight" not in state:
        if "coarse_matcher.0.layer.0.weight" in state:
            return _with_backbone(state, path, backbone)
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


def _with_backbone(state: Mapping[str, Tensor], path: Path, backbone: Path | None) -> dict[str, Tensor]:
    """Matchers alone: trained beside a frozen backbone, which is not stored with them."""
    if backbone is None:
        raise ModelError(
            f"{path}: has matchers and no backbone, as what was trained with a frozen one: give XFeat's weights with "
            "--backbone xfeat.pt"
        )
    features = {name: value for name, value in renamed(read_state(backbone), backbone).items() if "matcher" not in name}
    matchers = {name: value for name, value in state.items() if name.split(".")[0] in MATCHERS}
    return features | {_without_layer(name): value for name, value in matchers.items()}


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


def import_weights(
    path: Path, variant: str, size: tuple[int, int], folder: Path, backbone: Path | None = None, seed: int = 0
) -> str:
    """Write the bundle and return a sentence about it; raises ModelError.

    ``backbone``: XFeat's file, for a TinyRoMa that was stored without its frozen one. ``seed``: of what the file lacks.
    """
    config = config_of(variant)
    weights = renamed(read_state(path), path, backbone)
    sources = " and ".join(_named(one) for one in (path, backbone) if one is not None)
    torch.manual_seed(seed)
    network = TinyRoma(config).eval()
    absent = load_into(network, weights, path)
    lacking = f"; random, not in the file: {', '.join(absent)}" if absent else ""
    facts: dict[str, Any] = {
        "trained_on": f"published weights {sources}, variant {variant}{lacking}; trained on {GREY}"
    }
    write_bundle(network, size, folder, folder.name, **facts)
    return f"{folder}: {facts['trained_on']}"


def config_of(variant: str) -> TinyRomaConfig:
    """``published``, or a variant of model/variants; raises ModelError."""
    return PUBLISHED if variant == DEFAULT_VARIANT else TinyRomaConfig.load(variant)


def _named(path: Path) -> str:
    return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="state dict (.pth, .pt)")
    parser.add_argument("--variant", default=DEFAULT_VARIANT, help=f"{DEFAULT_VARIANT} (default), or a variant")
    parser.add_argument("--backbone", type=Path, help="XFeat's weights, where the file has matchers alone")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 320), metavar=("W", "H"), help="px, multiples of 32")
    parser.add_argument("--output", type=Path, required=True, help="bundle folder")
    arguments = parser.parse_args(words)
    size = tuple(arguments.size)
    print(import_weights(arguments.file, arguments.variant, size, arguments.output, arguments.backbone))


if __name__ == "__main__":
    run_tool(main)
