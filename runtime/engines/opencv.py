"""Inference by OpenCV's DNN module: needs nothing besides what every installation has."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.quiet_opencv import quiet_opencv
from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import Array, EngineError, EngineOptions, allocate
from roma_device.runtime.onnx.external import read_self_contained
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.protobuf import ProtobufError, with_input_size
from roma_device.runtime.onnx.single_rows import with_doubled_rows

from .host import onnx_file, reason_of

LACKING_IN_4 = frozenset({"GridSample", "Range"})


class OpenCVEngine:
    """Runs a bundle's ONNX file; on OpenCV 5 its classic engine, which was measured faster than the new one."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        if options.precision == "int8":
            raise EngineError(
                lambda option: (
                    f"the OpenCV engine runs fp32 alone: {option('precision', 'fp32')} or auto, or another engine"
                )
            )
        _, file = onnx_file(card, "opencv", "fp32")
        self.inputs = allocate(card.inputs, options.size)
        self.outputs = allocate(card.outputs, options.size)
        if options.threads:
            cv2.setNumThreads(options.threads)
        self.facts = {"engine ver": cv2.__version__}
        self._names = [spec.name for spec in card.outputs]
        self._net = _load(card, file, options.size)
        self._name = card.name

    def run(self) -> None:
        try:
            for name, array in self.inputs.items():
                self._net.setInput(array, name)
            blobs = self._net.forward(self._names)
        except cv2.error as error:
            raise EngineError(f"OpenCV cannot run model {self._name}: {reason_of(error)}") from None
        for name, blob in zip(self._names, blobs, strict=True):
            self._store(name, np.asarray(blob))

    def _store(self, name: str, blob: Array) -> None:
        expected = self.outputs[name].shape
        if blob.size != self.outputs[name].size:
            raise EngineError(f"model {self._name} gives {name} of shape {blob.shape}; its card says {expected}")
        np.copyto(self.outputs[name], blob.reshape(expected))

    def close(self) -> None:
        self._net = None


def _sized(data: bytes, size: Size) -> bytes:
    """What is no ONNX file stays as it is: OpenCV says so in its own words."""
    try:
        return with_input_size(data, size)
    except ProtobufError:
        return data


def _check_operators(card: ModelCard, file: ModelFile, data: bytes) -> None:
    """Raise EngineError for what OpenCV 4 lacks: some of it ends the process there instead of being refused."""
    try:
        lacking = {node.op for node in read_onnx(data, file.path).nodes} & LACKING_IN_4
    except ModelError:  # OpenCV says itself what is wrong with a file that is none
        return
    if lacking:
        raise EngineError(
            f"OpenCV {cv2.__version__} has no {' and no '.join(sorted(lacking))}, which model {card.name} needs: "
            "OpenCV 5, ONNX Runtime or OpenVINO has it"
        )


def _load(card: ModelCard, file: ModelFile, size: Size) -> Any:
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)  # OpenCV 5 has two engines, 4 has this one alone
    content = read_self_contained(file)
    if classic is None:
        _check_operators(card, file, content)
    elif min(size) <= card.size_multiple:  # the deepest maps have one row or column: OpenCV 5 makes noise of them
        with suppress(ModelError):  # no ONNX file: as in _sized
            content = with_doubled_rows(content, size, file.path)
    data = np.frombuffer(_sized(content, size), np.uint8)
    try:
        with quiet_opencv():
            return cv2.dnn.readNetFromONNX(data) if classic is None else _read(data, classic)
    except cv2.error as error:
        raise EngineError(f"OpenCV {cv2.__version__} cannot load model {card.name}: {reason_of(error)}") from None


def _read(data: Array, classic: int) -> Any:
    """The classic engine knows fewer operators: what it rejects, the new one may take."""
    try:
        return cv2.dnn.readNetFromONNX(data, classic)
    except cv2.error:
        return cv2.dnn.readNetFromONNX(data, cv2.dnn.ENGINE_NEW)
