"""Files of a compiler kit: calibration archives, ``build.json``, and how sensitive each layer is."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arithmetic import PRECISIONS, Precision
from .graphs import CompilerGraph
from .sensitivity import Sensitivity, measure

Form = Literal["float", "u8"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the graphs are compiled for."""

    chip: str
    npu: str
    form: Form = "float"  # of the images that the program will feed: normalized, or raw grey


def layers(precision: Precision) -> list[dict[str, Any]]:
    """``layer_configs``: a convolution's output has a key of its own, whose default is 8 bits.

    Kinds of operators stand instead of names, as the compiler ends at names of layers that it has fused.
    """
    others, convolutions = f"U{precision.others}", f"U{precision.convolutions}"
    return [
        {"start_tensor_names": ["DEFAULT"], "end_tensor_names": ["DEFAULT"], "data_type": others},
        {"op_type": "Conv", "data_type": convolutions, "weight_data_type": "S8", "output_data_type": others},
    ]


def write_graph(graph: CompilerGraph, folder: Path, target: Target) -> None:
    """What the compiler reads of one graph, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph.model.SerializeToString())
    for spec in graph.card.inputs:
        _archive(folder / f"{spec.name}.tar", [sample[spec.name] for sample in graph.samples], target.form)
    (folder / "build.json").write_text(json.dumps(build(graph, target), indent=2) + "\n")


def write_sensitivity(graph: CompilerGraph, folder: Path) -> list[Sensitivity]:
    """``sensitivity.json`` into ``folder``; returns the layers in it, the most sensitive first."""
    found = measure(graph.model, graph.samples[0])
    lines = [{"layer": one.layer, "op": one.op, "change": one.change} for one in found]
    (folder / "sensitivity.json").write_text(json.dumps(lines, indent=1) + "\n")
    return found


def _archive(path: Path, tensors: Sequence[npt.NDArray[np.float32]], form: Form) -> None:
    """One .npy per sample; samples of all archives belong together by name."""
    with tarfile.open(path, "w") as archive:
        for index, tensor in enumerate(tensors):
            value = np.rint(tensor[0, 0, :, :, None] * 255).astype(np.uint8)[None] if form == "u8" else tensor
            buffer = io.BytesIO()
            np.save(buffer, value)
            member = tarfile.TarInfo(f"{index:06d}.npy")
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)


def compiled_name(graph: CompilerGraph) -> str:
    return f"{graph.folder or graph.card.name}.axmodel"


def build(graph: CompilerGraph, target: Target) -> dict[str, Any]:
    """``build.json``, which ``pulsar2 build --config`` reads."""
    shapes = {
        value.name: "x".join(str(one.dim_value) for one in value.type.tensor_type.shape.dim)
        for value in graph.model.graph.input
    }
    inputs = [
        {
            "tensor_name": name,
            "calibration_dataset": f"{name}.tar",
            "calibration_format": "Numpy",
            "calibration_size": len(graph.samples),
        }
        for name in shapes
    ]
    processors = [
        {"tensor_name": name, "src_dtype": "U8", "src_layout": "NHWC", "mean": [0], "std": [255]} for name in shapes
    ]
    return {
        "input": "model.onnx",
        "output_dir": "out",
        "output_name": compiled_name(graph),
        "model_type": "ONNX",
        "target_hardware": target.chip,
        "npu_mode": target.npu,
        "input_shapes": ";".join(f"{name}:{shape}" for name, shape in shapes.items()),
        "quant": {
            "input_configs": inputs,
            "layer_configs": layers(PRECISIONS[graph.precision]),
            "calibration_method": "MinMax",
            "precision_analysis": True,
            "precision_analysis_method": "EndToEnd",
        },
        **({"input_processors": processors} if target.form == "u8" else {}),
        "compiler": {"check": 0},
    }
