"""Checked copy of arrays into an engine's input tensors: the same numbers arrive, or an error says why not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roma_device.runtime.engine import Array, EngineError


def set_inputs(inputs: Mapping[str, Array], arrays: Mapping[str, Array]) -> None:
    """Copy ``arrays`` into ``inputs``, all of them, whatever their order in memory, strides and byte order.

    Shapes must be equal: numpy would repeat smaller ones silently. Types may change where every number stays what it
    is, and between float types, where it is rounded. Raises EngineError naming the input.
    """
    if set(arrays) != set(inputs):
        raise EngineError(f"the network takes {', '.join(inputs)}; given is {', '.join(arrays) or 'nothing'}")
    for name, array in arrays.items():
        _check(name, np.asarray(array), inputs[name])
    for name, array in arrays.items():
        inputs[name][...] = array


def _check(name: str, array: Array, target: Array) -> None:
    if array.shape != target.shape:
        raise EngineError(f"input {name} takes the shape {_text(target)}, not {_text(array)}")
    floats = array.dtype.kind == target.dtype.kind == "f"
    if not floats and not np.can_cast(array.dtype, target.dtype, "safe"):
        raise EngineError(f"input {name} takes {target.dtype}, into which {array.dtype} does not fit: convert it first")


def _text(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "of a single number"
