"""Inference by ONNX Runtime, from the extra ``onnx``."""

from __future__ import annotations

from typing import Any

import numpy as np

from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import EngineError, EngineOptions, allocate
from roma_device.runtime.extras import install_line
from roma_device.runtime.onnx.external import read_self_contained

from .host import onnx_file, reason_of


class OnnxEngine:
    """Runs a bundle's ONNX file on the CPU; reads the inputs and writes the outputs in place."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        runtime = _onnxruntime()
        precision, file = onnx_file(card, "onnx", options.precision)
        self.inputs = allocate(card.inputs, options.size)
        self.outputs = allocate(card.outputs, options.size)
        self.facts = {"engine ver": str(runtime.__version__), "precision": precision}
        self._name = card.name
        self._session: Any = _session(runtime, file, options.threads)
        self._binding = self._bind()

    def _bind(self) -> Any:
        binding = self._session.io_binding()
        for name, array in self.inputs.items():
            binding.bind_cpu_input(name, array)
        for name, array in self.outputs.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # ONNX Runtime raises types of its own for each status
            raise EngineError(f"ONNX Runtime cannot run model {self._name}: {reason_of(error)}") from None

    def close(self) -> None:
        self._binding = self._session = None


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise EngineError(f"ONNX Runtime is not installed: {install_line('onnx')}") from None
    return onnxruntime


def _session(runtime: Any, file: ModelFile, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    data = read_self_contained(file)
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see run
        raise ModelError(f"{file.path}: ONNX Runtime cannot load it: {reason_of(error)}") from None
