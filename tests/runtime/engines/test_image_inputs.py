"""Models that take raw images, as the compiler's input processors make them, give what the float model gives."""

from __future__ import annotations

import ctypes
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard, TensorSpec
from roma_device.runtime.tensors.bfloat16 import to_float32
from roma_device.runtime.tensors.preprocess import value_table, write_numbers
from tests.standin.network import NetworkRunner, standin_bundle

from .conftest import SIZE, Command, Npu

WIDTH, HEIGHT = SIZE
CAMERA = ("--camera", f"simulated:room?frames=1&size={WIDTH}x{HEIGHT}")
LAYOUTS = {"NCHW": (1, 1, HEIGHT, WIDTH), "NHWC": (1, HEIGHT, WIDTH, 3), "NV12": (1, HEIGHT * 3 // 2, WIDTH, 1)}


class ImageRunner(NetworkRunner):
    """A network that normalizes by itself: grey levels from the layout, then the float network."""

    def __init__(self, card: ModelCard, spec: TensorSpec) -> None:
        super().__init__(card, SIZE)
        self._spec = spec

    def _run(self, _onnx: int, _bytes: int, inputs: Any, outputs: Any) -> int:
        for array, address in zip(self.engine.inputs.values(), inputs, strict=False):
            array[0, 0] = self._floats(address)
        self.engine.run()
        for array, address in zip(self.engine.outputs.values(), outputs, strict=False):
            ctypes.memmove(address, np.ascontiguousarray(array).ctypes.data, array.nbytes)
        return 0

    def _floats(self, address: int) -> np.ndarray:
        shape = self._spec.shape_at(SIZE)
        data = ctypes.string_at(address, int(np.prod(shape)) * self._spec.storage.itemsize)
        tensor = np.frombuffer(data, self._spec.storage).reshape(shape)
        if self._spec.dtype == "bfloat16":
            return to_float32(tensor[0, 0])
        if self._spec.layout == "NV12" and tensor.any():  # but for the warm-up
            assert (tensor[0, HEIGHT:] == 128).all(), "grey has no colour"
        image = {"NCHW": tensor[0, 0], "NHWC": tensor[0, :, :, 0], "NV12": tensor[0, :HEIGHT, :, 0]}[self._spec.layout]
        numbers = np.empty(image.shape, np.float32)
        write_numbers(numbers, image, value_table(image, "preprocess"))
        return numbers


def npu_bundle(card: ModelCard, spec: TensorSpec, normalization: str, folder: Path) -> str:
    """A bundle whose compiled model takes what ``spec`` says."""
    inputs = tuple(dataclasses.replace(spec, name=each.name) for each in card.inputs)
    compiled = dataclasses.replace(card, inputs=inputs, normalization=normalization)
    return str(standin_bundle(compiled, SIZE, folder))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_grey_levels_in_every_layout(
    npu: Npu, stereo_card: ModelCard, bundle: str, command: Command, tmp_path: Path, layout: str
) -> None:
    spec = TensorSpec("", LAYOUTS[layout], "uint8", layout)  # type: ignore[arg-type]
    raw = npu_bundle(stereo_card, spec, "in_graph", tmp_path / "raw")
    runner = ImageRunner(stereo_card, spec)
    npu.standin.set_runner(runner.callback)
    for model, engine in ((raw, npu.engine), (bundle, "opencv")):
        words = ("--engine", engine, "--output", str(tmp_path / engine), "--save", "disparity")
        assert command("run", *CAMERA, "--model", model, *words)[0] == 0
    for path in sorted(set((tmp_path / "opencv").iterdir()) - {tmp_path / "opencv" / "run.json"}):
        assert path.read_bytes() == (tmp_path / npu.engine / path.name).read_bytes()
    code, out, _ = command("verify", raw, "--engine", npu.engine, "--reference", bundle, "--count", "1", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["outputs"]["disparity"]["max_abs"] == 0
    npu.standin.assert_clean()


def test_bfloat16(npu: Npu, stereo_card: ModelCard, bundle: str, command: Command, tmp_path: Path) -> None:
    """Rounded to 8 bits of mantissa, and still the same scene."""
    spec = TensorSpec("", LAYOUTS["NCHW"], "bfloat16")
    rounded = npu_bundle(stereo_card, spec, "preprocess", tmp_path / "rounded")
    runner = ImageRunner(stereo_card, spec)
    npu.standin.set_runner(runner.callback)
    code, out, _ = command("verify", rounded, "--engine", npu.engine, "--reference", bundle, "--count", "2", "--json")
    report = json.loads(out)
    assert code == 0 and report["outputs"]["disparity"]["max_abs"] > 0 and report["effect"]["mean_px"] < 0.1
    npu.standin.assert_clean()


def test_integers_without_a_meaning_are_refused(
    npu: Npu, stereo_card: ModelCard, command: Command, tmp_path: Path
) -> None:
    odd = npu_bundle(stereo_card, TensorSpec("", LAYOUTS["NCHW"], "int16"), "preprocess", tmp_path / "odd")
    code, _, err = command("run", *CAMERA, "--model", odd, "--engine", npu.engine)
    assert code == 65 and err.count("\n") == 1
    assert "left is int16; with normalization: preprocess images go into float32, bfloat16 only" in err
    assert npu.standin.calls == []
