"""ONNX export of a network: what all exports here have in common."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
import yaml
from torch import Tensor, nn

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.shapes import infer

OPSET = 17
INPUTS = ("left", "right")
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
        "GridSample",
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
        "Squeeze",
        "Sub",
        "Transpose",
        "Unsqueeze",
    ]
)
"""Of the operators that both the AX650 and the AX620E list (Pulsar2 7.0 documentation), those used here."""


def exported(
    network: nn.Module, size: tuple[int, int], outputs: Sequence[str], is_open: bool = False
) -> onnx.ModelProto:
    """Opset 17, batch norm folded, two grey images of ``size`` (width, height) in; ``is_open``: of any size."""
    width, height = size
    image = torch.zeros(1, 1, height, width)
    axes = {name: {2: "height", 3: "width"} for name in (*INPUTS, *outputs)} if is_open else None
    return exported_from(network, dict.fromkeys(INPUTS, image), outputs, axes)


def exported_from(
    network: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]] | None,
) -> onnx.ModelProto:
    """The same for any named inputs; ``axes`` names the open ones of each tensor, None: none is open."""
    buffer: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            tuple(example.values()),
            buffer,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _drop_copies(model.graph)
    onnx.checker.check_model(model)
    return model


def _drop_copies(graph: onnx.GraphProto) -> None:
    """Without the Identity nodes that torch puts before weights that are used twice."""
    weights = {tensor.name for tensor in graph.initializer}
    copies = {
        node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity" and node.input[0] in weights
    }
    kept = [node for node in graph.node if node.output[0] not in copies]
    for node in kept:
        for place, name in enumerate(node.input):
            node.input[place] = copies.get(name, name)
    del graph.node[:]
    graph.node.extend(kept)


def fixed(model: onnx.ModelProto, size: tuple[int, int]) -> onnx.ModelProto:
    """A copy for images of ``size`` (width, height) alone; what then is constant is stored instead of computed."""
    graph = read_onnx(model.SerializeToString(), Path("model.onnx")).with_size(Size(*size))
    known = infer(graph)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for value in (*result.graph.input, *result.graph.output):
        shape = value.type.tensor_type.shape.dim
        for axis, length in enumerate(known.shapes.get(value.name, ())):
            shape[axis].Clear()
            shape[axis].dim_value = length
    kept: list[onnx.NodeProto] = []
    folded: list[onnx.NodeProto] = []
    for node in result.graph.node:
        is_folded = node.op_type != "Constant" and all(name in known.constants for name in node.output)
        (folded if is_folded else kept).append(node)
    used = {name for node in kept for name in node.input}
    for name in sorted(used & {name for node in folded for name in node.output}):
        result.graph.initializer.append(onnx.numpy_helper.from_array(known.constants[name], name))
    kept = [node for node in kept if node.op_type != "Constant" or node.output[0] in used]
    del result.graph.node[:], result.graph.value_info[:]
    result.graph.node.extend(kept)
    onnx.checker.check_model(result)
    return result


def check_operators(model: onnx.ModelProto) -> None:
    """Raises ModelError naming operators outside the NPUs' lists."""
    foreign = {node.op_type for node in model.graph.node} - NPU_OPERATORS
    if foreign:
        raise ModelError(f"operators outside the NPU lists: {', '.join(sorted(foreign))}")


def write_files(folder: Path, name: str, task: str, model: onnx.ModelProto, facts: Mapping[str, Any]) -> None:
    """ONNX file and card of a bundle; ``facts`` are what the card says besides name, task and file."""
    folder.mkdir(parents=True, exist_ok=True)
    file, data = f"{name}.onnx", model.SerializeToString()
    (folder / file).write_bytes(data)
    files = {"onnx": {"file": file, "sha256": hashlib.sha256(data).hexdigest()}}
    card = {"name": name, "task": task, "files": files, **facts}
    (folder / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110))
