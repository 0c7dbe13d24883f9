"""The stereo network as a bundle: an ONNX file for hosts (height and width open) and the card with its sha256."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from model.base.checkpoint import load_averaged
from model.base.onnx_file import INPUTS, check_operators, exported, write_files

from .network import RowStereo, StereoConfig

DEFAULT_SIZE = (640, 320)
"""Width and height in px."""
OUTPUTS = {"disparity": 2, "certainty": 4}
"""Name -> input px per value."""


def load_network(checkpoint: Path) -> tuple[RowStereo, dict[str, Any]]:
    """The averaged weights of ``checkpoint``, ready for inference, and what else it says."""
    return load_averaged(checkpoint, lambda variant: RowStereo(StereoConfig.load(variant)))


def to_onnx(network: RowStereo, size: tuple[int, int], dynamic: bool) -> onnx.ModelProto:
    """Opset 17, batch norm folded; ``size`` is (width, height).

    Only operators that both NPUs know, unless the network is ``far_first`` and its size open: its shapes are then
    computed in the graph.
    """
    model = exported(network, size, tuple(OUTPUTS), dynamic)
    if not (network.is_far_first and dynamic):
        check_operators(model)
    return model


def write_bundle(
    network: RowStereo, facts: dict[str, Any], folder: Path, name: str, size: tuple[int, int] | None = None
) -> None:
    """Export and describe; the card's figures are filled in by ``facts``.

    Open to any size, or for images of ``size`` (width, height) alone.
    """
    default = size or DEFAULT_SIZE
    card = {
        "inputs": [_tensor(one, size) for one in INPUTS],
        "outputs": [_tensor(one, size, stride) | {"stride": stride} for one, stride in OUTPUTS.items()],
        "normalization": "preprocess",
        "convention": "x_right = x_left - disparity, input pixels, pixel centres at integers",
        "size_multiple": 32,
        "default_size": list(default),
        **facts,
    }
    write_files(folder, name, "stereo", to_onnx(network, default, dynamic=size is None), card)


def _tensor(name: str, size: tuple[int, int] | None, stride: int = 1) -> dict[str, Any]:
    """As the card describes it; -1 is an open dimension."""
    shape = [-1, -1] if size is None else [size[1] // stride, size[0] // stride]
    return {"name": name, "shape": [1, 1, *shape], "dtype": "float32"}
