"""Files of a bundle of several graphs: what each stage is written as, and what the card says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import yaml

from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.files import write_bytes
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.shapes import infer

FORMATS = {"onnx": ".onnx", "onnx_int8": ".int8.onnx"}
Graphs = dict[str, onnx.ModelProto]
"""Format in the card -> graph."""


def stage_entry(folder: Path, name: str, graphs: Graphs, size: Size) -> dict[str, Any]:
    """Write the graphs of the stage ``name`` into the bundle ``folder``; what its card says of them."""
    files = {}
    for kind, graph in graphs.items():
        file, data = f"{name}{FORMATS[kind]}", graph.SerializeToString()
        write_bytes(folder / file, data)
        files[kind] = {"file": file, "sha256": hashlib.sha256(data).hexdigest()}
    inputs, outputs = tensors(graphs["onnx"], size)
    return {"name": name, "files": files, "inputs": inputs, "outputs": outputs}


def tensors(model: onnx.ModelProto, size: Size) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs and outputs as a card describes them; strides follow from what the graph gives for images of ``size``."""
    graph = read_onnx(model.SerializeToString(), Path("graph"))
    shapes = infer(graph.with_size(size)).shapes
    sides = []
    for infos in (graph.inputs, graph.outputs):
        side = []
        for name, info in infos.items():
            shape = shapes[name]
            strides = [size.height // shape[2], size.width // shape[3]]
            is_open = info.shape is None or None in info.shape
            side.append(
                {
                    "name": name,
                    "shape": [*shape[:2], *((-1, -1) if is_open else shape[2:])],
                    "dtype": "float32",
                    "stride": strides[0] if strides[0] == strides[1] else strides,
                }
            )
        sides.append(side)
    return sides[0], sides[1]


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    write_bytes(path, yaml.safe_dump(dict(card), sort_keys=False, default_flow_style=None, width=110).encode())
