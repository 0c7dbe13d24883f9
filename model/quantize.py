"""Post-training quantization: ``python -m model.quantize runs/stereo/checkpoint.pt BUNDLE --textures DIR``.

Adds an int8 ONNX file (QDQ form, which ONNX Runtime and OpenVINO run) to the bundle that ``model.export`` wrote
from the same checkpoint. The convolutions are quantized; correlation, probabilities and coordinates stay in float,
where 8 bits would cost whole pixels. Calibrated on generated pairs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from onnxruntime import quantization

from .base.cli import run_tool
from .base.loop import normalize
from .base.onnx_file import INPUTS
from .bundle_kind import BundleKind, kind_of_checkpoint
from .data.texture_atlas import Atlas
from .data.textures import build_atlas
from .quantized_graph import QuantizedGraph

CALIBRATION_SEED = 10_000
"""Apart from the seeds that models are trained with."""


Inputs = dict[str, np.ndarray[Any, Any]]
"""Name -> array, for one inference."""


class Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
    """What the ranges are measured on, one at a time."""

    def __init__(self, inputs: Iterator[Inputs]) -> None:
        self._inputs = inputs

    def get_next(self) -> Inputs | None:
        return next(self._inputs, None)


def generated_pairs(kind: BundleKind, textures: Path | None, count: int) -> Iterator[Inputs]:
    """Normalized synthetic pairs."""
    for pair in kind.pairs(Atlas(build_atlas(textures, 60)), CALIBRATION_SEED, count):
        yield {name: normalize(image).numpy() for name, image in zip(INPUTS, pair, strict=True)}


def quantize(
    fp32: bytes, reader: quantization.CalibrationDataReader, weight_bits: int = 8, in_float: Sequence[str] = ()
) -> bytes:
    """The int8 model for the fp32 one; both as serialized ONNX.

    Convolutions whose name has one of ``in_float`` in it stay as they are.
    With 7 bits for the weights no sum of two products overflows the 16 bits in which x86 without VNNI adds them.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / name for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
        source.write_bytes(fp32)
        quantization.shape_inference.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            target,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_kept_in_float(onnx.load(prepared), in_float),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=weight_bits == 7,
            activation_type=quantization.QuantType.QUInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        return target.read_bytes()


def _kept_in_float(model: onnx.ModelProto, named: Sequence[str]) -> list[str]:
    """Convolutions that are named, and those that are sums or positions in disguise, with constants for weights."""
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv"
        and (
            any(part in node.name for part in named)
            or (node.input[1] in weights and _is_scheme(weights[node.input[1]]))
        )
    ]


def _is_scheme(weight: np.ndarray[Any, Any]) -> bool:
    """Ones, bands of ones, or the candidates' positions: learned weights are never whole numbers."""
    return bool(np.all(weight == np.round(weight)))


def add_int8(
    checkpoint: Path,
    bundle: Path,
    textures: Path | None,
    count: int,
    weight_bits: int = 8,
    ranges_of: Path | None = None,
) -> None:
    """Quantize the network of ``checkpoint`` for ``bundle``.

    ``ranges_of``: an 8-bit file of the same network, whose ranges are taken in place of measuring them.
    """
    kind = kind_of_checkpoint(checkpoint)
    network, _ = kind.load(checkpoint)
    fp32 = kind.for_int8(network)
    if ranges_of is not None:
        int8 = ranges_of.read_bytes()
    else:
        samples = Samples(generated_pairs(kind, textures, count))
        int8 = quantize(fp32.SerializeToString(), samples, weight_bits)
    write_int8(bundle, int8 if kind.int8_in_float is None else rounded_less(int8, fp32, kind.int8_in_float))


def rounded_less(int8: bytes, fp32: onnx.ModelProto, in_float: Sequence[str]) -> bytes:
    """The 8-bit file, rounded once where a ReLU follows; convolutions with one of ``in_float`` in the name in float."""
    graph = QuantizedGraph(onnx.load_from_string(int8))
    graph.round_after_relu_alone()
    graph.keep_in_float(in_float, fp32)
    less: bytes = graph.pruned().SerializeToString()
    return less


def write_int8(bundle: Path, data: bytes) -> None:
    """Put the 8-bit model into ``bundle`` and name it in the card."""
    path = bundle / "card.yaml"
    card = yaml.safe_load(path.read_text())
    file = f"{card['name']}.int8.onnx"
    (bundle / file).write_bytes(data)
    card["files"]["onnx_int8"] = {"file": file, "sha256": hashlib.sha256(data).hexdigest()}
    path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--textures", type=Path, help="folder of natural images (*.jpg)")
    parser.add_argument("--count", type=int, default=64, help="pairs to calibrate on")
    parser.add_argument(
        "--weight-bits",
        type=int,
        choices=(7, 8),
        default=8,
        help="7: right on x86 without VNNI too, where 8 may overflow",
    )
    parser.add_argument(
        "--ranges-of", type=Path, metavar="INT8", help="take the ranges of this 8-bit file of the same network"
    )
    parser.add_argument("--measured", type=Path, help="report of roma-device evaluate ... --precision int8 --json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    choice = (arguments.textures, arguments.count, arguments.weight_bits, arguments.ranges_of)
    add_int8(arguments.checkpoint, arguments.bundle, *choice)
    if arguments.measured is not None:
        mean = json.loads(arguments.measured.read_text())["mean"]
        measured = kind_of_checkpoint(arguments.checkpoint).measured
        _note(arguments.bundle / "card.yaml", {name: mean[name] for name in measured})


def _note(path: Path, mean: dict[str, float]) -> None:
    """The figures of the 8-bit file beside those of the float one in the card at ``path``."""
    card = yaml.safe_load(path.read_text())
    figures = {f"{name}_int8": round(value, 4) for name, value in mean.items()}
    card["measured"] = card.get("measured", {}) | figures
    path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110))


if __name__ == "__main__":
    run_tool(main)
