"""Compiled model (axmodel) on the board: loaded, and its tensors checked against its card."""

from __future__ import annotations

import ctypes
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, ModelFile, TensorSpec
from roma_device.runtime.engine import EngineError, EngineOptions
from roma_device.runtime.engines.compiled_for import check_compiled_for

from . import abi as abi
from .library import MODEL_TYPES, AxLibraries
from .memory import require_cmm


@dataclass(frozen=True, slots=True)
class AxTensor:
    """One input or output as the loaded model has it."""

    spec: TensorSpec  # of the card
    shape: tuple[int, ...]
    size: int  # bytes of its buffer


@dataclass(frozen=True, slots=True)
class AxModel:
    """A loaded model. Tensors are in its own order, which need not be the card's."""

    handle: ctypes.c_void_p
    context: ctypes.c_void_p
    kind: str  # cores, in the words of MODEL_TYPES
    inputs: tuple[AxTensor, ...]
    outputs: tuple[AxTensor, ...]


def axmodel_of(card: ModelCard) -> ModelFile:
    """The compiled file of ``card``; raises EngineError where it has none."""
    if "axmodel" not in card.files:
        raise EngineError(f"model {card.name} has no axmodel file, which the NPU needs; compile its ONNX with Pulsar2")
    return card.files["axmodel"]


def load_model(libraries: AxLibraries, card: ModelCard, options: EngineOptions, mode: str, stack: ExitStack) -> AxModel:
    """Load ``card``'s axmodel, unloaded by ``stack``; raises ModelError or EngineError."""
    file = axmodel_of(card)
    data = file.mapped()  # needed until the handle is made, as in the vendor's samples
    check_compiled_for(file.path, data.data, libraries.chip, _most_cores(libraries, mode), mode)
    kind = _check_kind(libraries, file.path, data, mode)
    require_cmm(libraries.sys, data.size, "the model's weights alone")
    handle, context = ctypes.c_void_p(), ctypes.c_void_p()
    check = libraries.engine.check
    extra = abi.HandleExtra(pName=card.name.encode())
    check("AX_ENGINE_CreateHandleV2", ctypes.byref(handle), data.ctypes.data, data.size, ctypes.byref(extra))
    stack.callback(libraries.engine.release, "AX_ENGINE_DestroyHandle", handle)
    check("AX_ENGINE_CreateContextV2", handle, ctypes.byref(context))  # it ends with the handle: no call ends it
    if options.npu.affinity:
        check("AX_ENGINE_SetAffinity", handle, options.npu.affinity)
    _check_groups(libraries, handle, file.path)
    info = ctypes.POINTER(abi.IoInfo)()
    check("AX_ENGINE_GetIOInfo", handle, ctypes.byref(info))
    found = info.contents
    inputs = _tensors(file.path, "input", found.pInputs[: found.nInputSize], card.inputs, options.size)
    outputs = _tensors(file.path, "output", found.pOutputs[: found.nOutputSize], card.outputs, options.size)
    return AxModel(handle, context, kind, inputs, outputs)


def _check_kind(libraries: AxLibraries, path: Path, data: Any, mode: str) -> str:
    """What the model was compiled for; raises ModelError where the NPU's mode does not take it."""
    number = ctypes.c_int32()
    try:
        libraries.engine.check("AX_ENGINE_GetModelType", data.ctypes.data, data.size, ctypes.byref(number))
    except EngineError as error:
        raise ModelError(f"{path}: not a model for {libraries.chip}: {error}") from None
    kinds = MODEL_TYPES[libraries.chip]
    if not 0 <= number.value < len(kinds):
        raise ModelError(f"{path}: compiled for another chip than {libraries.chip} (type {number.value})")
    if number.value >= _most_cores(libraries, mode):
        raise ModelError(
            f"{path}: compiled for {kinds[number.value]}, which the NPU's mode {mode} does not take: "
            "compile it for fewer cores (Pulsar2's npu_mode), or set npu.mode to disable"
        )
    return kinds[number.value]


def _most_cores(libraries: AxLibraries, mode: str) -> int:
    """Type numbers of models are less than this."""
    return {"disable": len(MODEL_TYPES[libraries.chip]), "enable": 1}.get(mode, 2)


def _check_groups(libraries: AxLibraries, handle: ctypes.c_void_p, path: Path) -> None:
    """Old engines know one group of shapes only, and have no call for their number."""
    count = ctypes.c_uint32(1)
    if libraries.engine.has("AX_ENGINE_GetGroupIOInfoCount"):
        libraries.engine.check("AX_ENGINE_GetGroupIOInfoCount", handle, ctypes.byref(count))
    if count.value != 1:
        raise ModelError(f"{path}: has {count.value} groups of shapes; compile it for one size")


def _tensors(
    path: Path, side: str, metas: list[abi.IoMeta], specs: tuple[TensorSpec, ...], size: Size
) -> tuple[AxTensor, ...]:
    wanted = {spec.name: spec for spec in specs}
    names = [(meta.pName or b"").decode(errors="replace") for meta in metas]
    if sorted(names) != sorted(wanted):
        raise ModelError(f"{path}: has {side}s {', '.join(names)}; its card says {', '.join(wanted)}")
    return tuple(_tensor(path, meta, wanted[name], size) for name, meta in zip(names, metas, strict=True))


def _tensor(path: Path, meta: abi.IoMeta, spec: TensorSpec, size: Size) -> AxTensor:
    """Raises ModelError unless shape, type and bytes are what the card and ``size`` ask for."""
    shape = tuple(meta.pShape[axis] for axis in range(meta.nShapeSize))
    dtype = abi.DTYPES.get(meta.eDataType, f"type {meta.eDataType}")
    wanted = spec.shape_at(size)
    if shape != wanted or dtype != spec.dtype:
        raise ModelError(
            f"{path}: {spec.name} is {_text(shape)} {dtype}, asked for is {_text(wanted)} {spec.dtype}: "
            "compile it for this size, or choose its own with input_width"
        )
    needed = math.prod(shape) * spec.storage.itemsize
    if meta.nSize < needed:
        raise ModelError(f"{path}: {spec.name} has {meta.nSize} bytes, its shape and type take {needed}")
    return AxTensor(spec, shape, meta.nSize)


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
