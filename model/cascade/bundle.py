"""Export of the cascade as a bundle (ONNX and card); ``model.export`` calls this for its variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from model.base.checkpoint import load_averaged
from model.base.onnx_file import INPUTS, check_operators, exported, fixed, write_files

from .network import STRIDES, Cascade, CascadeConfig

OUTPUTS = {"warp": 2, "certainty": 1}
"""Name -> channels."""
CONVENTION = "warp: x, y in the right image in [-1, 1] from border to border; certainty: logit"
DEFAULT_SIZE = (640, 480)


def load_network(checkpoint: Path) -> tuple[Cascade, dict[str, Any]]:
    """The averaged weights of ``checkpoint``, ready for inference, and what else it says."""
    return load_averaged(checkpoint, lambda variant: Cascade(CascadeConfig.load(variant)))


def to_onnx(network: Cascade, size: tuple[int, int], is_open: bool) -> onnx.ModelProto:
    """Opset 17, batch norm folded; ``size`` is (width, height).

    Fixed: only operators that both NPUs know. Open to any size, the graph also counts its cells, by Shape and Range,
    which become constants as soon as a size is given.
    """
    model = exported(network, size, tuple(OUTPUTS), is_open)
    if not is_open:
        model = fixed(model, size)
        check_operators(model)
    return model


def write_bundle(
    network: Cascade, facts: dict[str, Any], folder: Path, name: str, size: tuple[int, int] | None = None
) -> None:
    """ONNX file and card; ``facts`` are more keys of the card.

    Open to any size, for hosts, or for images of ``size`` (width, height) alone, as the NPU's compiler needs it.
    """
    default = size or DEFAULT_SIZE
    pixels = [-1, -1] if size is None else [size[1], size[0]]
    cells = [-1, -1] if size is None else [size[1] // STRIDES[-1], size[0] // STRIDES[-1]]
    card = {
        "inputs": [{"name": tensor, "shape": [1, 1, *pixels], "dtype": "float32"} for tensor in INPUTS],
        "outputs": [
            {"name": tensor, "shape": [1, channels, *cells], "dtype": "float32", "stride": STRIDES[-1]}
            for tensor, channels in OUTPUTS.items()
        ],
        "normalization": "preprocess",
        "convention": CONVENTION,
        "size_multiple": 32,
        "default_size": list(default),
        **facts,
    }
    write_files(folder, name, "two_view", to_onnx(network, default, is_open=size is None), card)
