"""Inference by OpenVINO, from the extra ``openvino``: the fastest engine on x86."""

from __future__ import annotations

from typing import Any

from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import EngineError, EngineOptions, allocate
from roma_device.runtime.extras import install_line
from roma_device.runtime.onnx.external import read_self_contained

from .host import onnx_file, reason_of


class OpenVinoEngine:
    """Runs a bundle's ONNX file on the CPU; reads the inputs and writes the outputs in place."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        openvino = _openvino()
        precision, file = onnx_file(card, "openvino", options.precision)
        self.inputs = allocate(card.inputs, options.size)
        self.outputs = allocate(card.outputs, options.size)
        self.facts = {"precision": precision}
        self._name = card.name
        self._request: Any = _compiled(openvino, card, file, options).create_infer_request()
        for name, array in {**self.inputs, **self.outputs}.items():
            self._request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def run(self) -> None:
        try:
            self._request.infer()
        except Exception as error:  # OpenVINO raises RuntimeError and types of its own
            raise EngineError(f"OpenVINO cannot run model {self._name}: {reason_of(error)}") from None

    def close(self) -> None:
        self._request = None


def _openvino() -> Any:
    try:
        import openvino
    except ImportError:
        raise EngineError(f"OpenVINO is not installed: {install_line('openvino')}") from None
    return openvino


def _compiled(openvino: Any, card: ModelCard, file: ModelFile, options: EngineOptions) -> Any:
    # Without the hint OpenVINO may compute in bfloat16, which is off by a fifth of a pixel.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if options.threads:
        settings["INFERENCE_NUM_THREADS"] = str(options.threads)
    data = read_self_contained(file)
    try:
        core = openvino.Core()
        model = core.read_model(data, b"")
        model.reshape({spec.name: list(spec.shape_at(options.size)) for spec in card.inputs})
        return core.compile_model(model, "CPU", settings)
    except Exception as error:  # see run
        raise ModelError(f"{file.path}: OpenVINO cannot load it: {reason_of(error)}") from None
