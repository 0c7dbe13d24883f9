"""All that the NPU vendor's compiler needs for a bundle: ``python -m model.pulsar2 BUNDLE --chip AX650 --output kit``.

Writes the graph, ``build.json``, calibration archives, all activations in 16 bits, a sensitivity measurement, vectors
to verify the result with, and a README with the commands. Nothing here runs the compiler; it was
never tried with it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, load_card
from roma_device.runtime.tensors.preprocess import value_table

from .base.cli import run_tool
from .base.npu_graph import with_all_attributes, with_exact_positions
from .base.onnx_file import fixed
from .studies.sensitivity import Sensitivity, measure

CHIPS = {"AX650": ("NPU1", "NPU2", "NPU3"), "AX620E": ("NPU1", "NPU2")}
VECTORS, SAMPLES = "vectors", "samples"
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
Tensors = dict[str, npt.NDArray[np.float32]]


def make_kit(bundle: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """Fill the new folder ``folder``; raises ModelError."""
    card = load_card(bundle)
    if card.stages:
        raise ModelError(
            f"{bundle}: has {len(card.stages)} graphs, and a kit is made for one: kits of several are not written yet"
        )
    if "onnx" not in card.files:
        raise ModelError(f"{bundle}: the bundle has no onnx file")
    if arguments.npu not in CHIPS[arguments.chip]:
        known = ", ".join(CHIPS[arguments.chip])
        raise ModelError(f"{arguments.chip} has no mode {arguments.npu}; known: {known}", exit_code=os.EX_USAGE)
    if arguments.input == "u8" and card.normalization == "preprocess":
        raise ModelError(
            f"{bundle}: its images are normalized one by one, which a constant mean cannot do; use --input float",
            exit_code=os.EX_USAGE,
        )
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: a kit goes into a new or empty folder only", exit_code=os.EX_CANTCREAT)
    size = tuple(arguments.size or card.fixed_size() or card.default_size)
    folder.mkdir(parents=True, exist_ok=True)
    model = fixed(onnx.load_from_string(card.files["onnx"].read()), (size[0], size[1]))
    for rewrite in (with_exact_positions, with_all_attributes):
        rewrite(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    _generate(bundle, folder / VECTORS, arguments.vectors, size)
    _generate(bundle, folder / SAMPLES, arguments.count, size)
    samples = [*_stored(folder / SAMPLES, card, size), *_own_frames(arguments.frames, card, size)]
    shutil.rmtree(folder / SAMPLES)
    for name in ("left", "right"):
        _archive(folder / f"{name}.tar", [sample[name] for sample in samples], arguments.input)
    layers = measure(model, samples[0])
    build = _build(card, size, arguments, len(samples))
    (folder / "build.json").write_text(json.dumps(build, indent=2) + "\n")
    (folder / "sensitivity.json").write_text(
        json.dumps([{"layer": one.layer, "op": one.op, "change": one.change} for one in layers], indent=1) + "\n"
    )
    (folder / "README.md").write_text(_readme(card, size, arguments, layers))


def _generate(bundle: Path, folder: Path, count: int, size: tuple[int, ...]) -> None:
    """Frames of the simulated rig as the program prepares them, with reference outputs."""
    words = ["verify", str(bundle), "--make-vectors", str(folder), "--count", str(count), "--engine", "onnx"]
    command = [sys.executable, "-m", "roma_device.app.cli", *words, "--size", f"{size[0]}x{size[1]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"no vectors: {done.stderr.strip()}")


def _stored(folder: Path, card: ModelCard, size: tuple[int, ...]) -> Iterator[Tensors]:
    for line in (folder / "list.txt").read_text().split():
        yield {
            spec.name: np.fromfile(folder / "input" / line / f"{spec.name}.bin", np.float32).reshape(
                spec.shape_at(Size(size[0], size[1]))
            )
            for spec in card.inputs
        }


def _own_frames(folder: Path | None, card: ModelCard, size: tuple[int, ...]) -> Iterator[Tensors]:
    """Rectified pairs in ``folder``/left and ``folder``/right, in the order of their names."""
    if folder is None:
        return
    sides = [
        sorted(path for path in (folder / name).glob("*") if path.suffix.lower() in IMAGES)
        for name in ("left", "right")
    ]
    if not sides[0] or len(sides[0]) != len(sides[1]):
        raise ModelError(
            f"{folder}: needs as many images in left/ as in right/, found {len(sides[0])} and {len(sides[1])}"
        )
    for paths in zip(*sides, strict=True):
        yield {spec.name: _tensor(path, card, size) for spec, path in zip(card.inputs, paths, strict=True)}


def _tensor(path: Path, card: ModelCard, size: tuple[int, ...]) -> npt.NDArray[np.float32]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ModelError(f"{path}: not an image")
    small = np.asarray(cv2.resize(image, size[:2], interpolation=cv2.INTER_AREA), np.uint8)
    return value_table(small, card.normalization)[small][None, None]


def _archive(path: Path, tensors: list[npt.NDArray[np.float32]], form: str) -> None:
    """One .npy per sample; samples of both archives belong together by name."""
    with tarfile.open(path, "w") as archive:
        for index, tensor in enumerate(tensors):
            value = np.rint(tensor[0, 0, :, :, None] * 255).astype(np.uint8)[None] if form == "u8" else tensor
            buffer = io.BytesIO()
            np.save(buffer, value)
            member = tarfile.TarInfo(f"{index:06d}.npy")
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)


LAYERS = [
    {"start_tensor_names": ["DEFAULT"], "end_tensor_names": ["DEFAULT"], "data_type": "U16"},
    {"op_type": "Conv", "data_type": "U16", "weight_data_type": "S8", "output_data_type": "U16"},
]
"""All activations in 16 bits. A convolution's output has a key of its own, whose default is 8 bits; kinds of operators
stand instead of names, as the compiler ends at names of layers that it has fused."""


def _build(card: ModelCard, size: tuple[int, ...], arguments: argparse.Namespace, count: int) -> dict[str, Any]:
    names = [spec.name for spec in card.inputs]
    build: dict[str, Any] = {
        "input": "model.onnx",
        "output_dir": "out",
        "output_name": f"{card.name}.axmodel",
        "model_type": "ONNX",
        "target_hardware": arguments.chip,
        "npu_mode": arguments.npu,
        "input_shapes": ";".join(f"{name}:1x1x{size[1]}x{size[0]}" for name in names),
        "quant": {
            "input_configs": [
                {
                    "tensor_name": name,
                    "calibration_dataset": f"{name}.tar",
                    "calibration_format": "Numpy",
                    "calibration_size": count,
                }
                for name in names
            ],
            "layer_configs": LAYERS,
            "calibration_method": "MinMax",
            "precision_analysis": True,
            "precision_analysis_method": "EndToEnd",
        },
        "compiler": {"check": 0},
    }
    if arguments.input == "u8":
        build["input_processors"] = [
            {"tensor_name": name, "src_dtype": "U8", "src_layout": "NHWC", "mean": [0], "std": [255]} for name in names
        ]
    return build


def _readme(card: ModelCard, size: tuple[int, ...], arguments: argparse.Namespace, layers: list[Sensitivity]) -> str:
    worst = "\n".join(f"| `{one.layer}` | {one.op} | {one.change:.4f} |" for one in layers[:10])
    return f"""# {card.name} for {arguments.chip}, {arguments.npu}, {size[0]}x{size[1]}
Made by `python -m model.pulsar2`. Not tried: no compiler and no board were at hand.

```sh
pulsar2 build --config build.json
pulsar2 run --model out/{card.name}.axmodel --input_dir {VECTORS}/input --output_dir simulated --list {VECTORS}/list.txt
ax_run_model -m out/{card.name}.axmodel -i {VECTORS}/input -o on-chip -l {VECTORS}/list.txt   # on the board
roma-device verify BUNDLE --engine ax --vectors {VECTORS}                                      # on the board
```

`build.json` keeps all activations at 16 bits, and `model.onnx` has the positions of disparities as a product, which
is exact: as weights of a convolution they would have 8 bits. For speed, kinds of operators may be set to U8 under
`layer_configs`, and the result verified: errors add up, so that 8 bits everywhere double the share of pixels off by
over 1 px. Never `highest_mix_precision`, at which the compiler was seen to end. On AX620E small models in 16 bits have
failed to load.

`sensitivity.json` has what rounding the output of one layer alone to 256 levels changes, in standard deviations of the
first output: a layer high up is a bad one to set to U8.

The most sensitive ones:

| layer | operator | change |
|---|---|---|
{worst}
"""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("bundle", type=Path)
    add("--chip", choices=sorted(CHIPS), required=True)
    add("--npu", default="NPU1", help="NPU1, NPU2 or NPU3: cores that it is compiled for (NPU1)")
    add("--output", type=Path, required=True, help="new folder")
    add("--size", type=int, nargs=2, metavar=("W", "H"), help="px, for bundles of open size")
    add("--input", choices=("float", "u8"), default="float", help="what the program will feed: normalized, or raw grey")
    add("--frames", type=Path, help="rectified pairs of yours to calibrate on: a folder with left/ and right/")
    add("--count", type=int, default=32, help="generated pairs to calibrate on (32)")
    add("--vectors", type=int, default=4, help="vectors for verification (4)")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    arguments = parse(words)
    make_kit(arguments.bundle, arguments.output, arguments)
    print(f"{arguments.output}: see its README.md")


if __name__ == "__main__":
    run_tool(main)
