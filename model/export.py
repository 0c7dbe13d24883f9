"""Checkpoint -> bundle: ``python -m model.export runs/stereo/checkpoint.pt --output configs/models/stereo``.

Writes an ONNX file for hosts (height and width open) and the card with its sha256.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
import yaml

from roma_device.runtime.card import ModelError

from .checkpoint import load_weights, read_checkpoint
from .command import run_tool
from .network import RowStereo, StereoConfig

OPSET = 17
MEASURED = ("bad2", "bad3", "epe", "d1", "bad2_80")
"""Figures of an evaluation that a card repeats: shares of pixels, EPE in px."""
INPUTS = ("left", "right")
OUTPUTS = {"disparity": 2, "certainty": 4}
"""Name -> input px per value."""
NPU_OPERATORS = frozenset(
    [
        "Abs",
        "Add",
        "ArgMax",
        "AveragePool",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "Div",
        "Exp",
        "Identity",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
        "Pad",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Resize",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Sqrt",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Squeeze",
    ]
)
"""Of the operators that both the AX650 and the AX620E list (Pulsar2 7.0 documentation), those used here."""


def load_network(checkpoint: Path) -> tuple[RowStereo, dict[str, Any]]:
    """The averaged weights of ``checkpoint``, ready for inference, and what else it says."""
    state = read_checkpoint(checkpoint)
    network = RowStereo(StereoConfig.load(state["variant"]))
    load_weights(network, state.get("average", state["network"]), checkpoint)
    return network.eval(), {"step": int(state["step"]), "variant": state["variant"]}


def to_onnx(network: RowStereo, size: tuple[int, int], dynamic: bool) -> onnx.ModelProto:
    """Opset 17, batch norm folded; ``size`` is (width, height).

    Only operators that both NPUs know, unless the network is ``far_first`` and its size open: its shapes are then
    computed in the graph.
    """
    width, height = size
    example = (torch.zeros(1, 1, height, width), torch.zeros(1, 1, height, width))
    axes = {name: {2: "height", 3: "width"} for name in (*INPUTS, *OUTPUTS)} if dynamic else None
    buffer: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            example,
            buffer,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    if not (network.is_far_first and dynamic):
        _check_operators(model)
    onnx.checker.check_model(model)
    return model


def _check_operators(model: onnx.ModelProto) -> None:
    foreign = {node.op_type for node in model.graph.node} - NPU_OPERATORS
    if foreign:
        raise ModelError(f"operators outside the NPU lists: {', '.join(sorted(foreign))}")


def write_bundle(network: RowStereo, facts: dict[str, Any], folder: Path, name: str) -> None:
    """Export and describe; the card's figures are filled in by ``facts``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = to_onnx(network, (640, 320), dynamic=True).SerializeToString()
    file = f"{name}.onnx"
    (folder / file).write_bytes(data)
    card = {
        "name": name,
        "task": "stereo",
        "files": {"onnx": {"file": file, "sha256": hashlib.sha256(data).hexdigest()}},
        "inputs": list(map(_tensor, INPUTS)),
        "outputs": [_tensor(name) | {"stride": stride} for name, stride in OUTPUTS.items()],
        "normalization": "preprocess",
        "convention": "x_right = x_left - disparity, input pixels, pixel centres at integers",
        "size_multiple": 32,
        "default_size": [640, 320],
        **facts,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110))


def _tensor(name: str) -> dict[str, Any]:
    """As the card describes it; -1 is an open dimension."""
    return {"name": name, "shape": [1, 1, -1, -1], "dtype": "float32"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="bundle folder")
    parser.add_argument("--min-confidence", type=float, default=0.5, help="default threshold on the certainty")
    parser.add_argument("--measured", type=Path, help="report of roma-device evaluate stereo --json on this model")
    arguments = parser.parse_args()
    network, origin = load_network(arguments.checkpoint)
    facts: dict[str, Any] = {
        "min_confidence": arguments.min_confidence,
        "trained_on": f"synthetic pairs (model/synthetic.py), {origin['step']} steps, variant {origin['variant']}",
    }
    if arguments.measured is not None:
        mean = json.loads(arguments.measured.read_text())["mean"]
        facts["measured"] = {name: round(mean[name], 4) for name in MEASURED}
    write_bundle(network, facts, arguments.output, arguments.output.name)


if __name__ == "__main__":
    run_tool(main)
