"""Constant folding: the operators that shape arithmetic consists of, computed as onnxruntime does before it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from .graph import DTYPES, Array, Node
from .known import Known, axes_of, reshaped, shape_part, squeezed, unsqueezed

Fold = Callable[[Node, Known], Array]
FOLDED, MOST_MADE = 4096, 1 << 24
"""Constants up to so many elements are kept, and up to so many computed: shapes and indices, no weights."""

_FUNCTIONS: dict[str, Any] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Equal": np.equal,
    "Exp": np.exp,
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Log": np.log,
    "MatMul": np.matmul,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "Reciprocal": np.reciprocal,
    "Round": np.rint,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Where": np.where,
    "Xor": np.logical_xor,
}
_MANY: dict[str, Any] = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}
_REDUCTIONS: dict[str, Any] = {
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
}


def fold(node: Node, known: Known) -> None:
    """Compute the constants that shape arithmetic consists of."""
    if node.op == "Split":
        _fold_split(node, known)
    evaluate = FOLDS.get(node.op)
    if evaluate is None or _is_huge(node, known):
        return
    try:
        with np.errstate(all="ignore"):
            value = evaluate(node, known)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError):
        return
    if value.size <= FOLDED or node.op == "Constant":
        known.shapes[node.outputs[0]], known.constants[node.outputs[0]] = value.shape, value


def _is_huge(node: Node, known: Known) -> bool:
    """Whether its result could be: no more than what its constant inputs multiply to, for most operators."""
    sizes = [known.constants[name].size for name in node.inputs if name in known.constants]
    return node.op not in ("Constant", "Shape", "Size") and math.prod(sizes) > MOST_MADE


def _bounded(shape: Iterable[int]) -> tuple[int, ...]:
    """``shape`` itself; raises LookupError where an array of it would be too large to be made."""
    sizes = tuple(shape)
    if math.prod(sizes) > MOST_MADE:
        raise LookupError("more elements than any shape needs")
    return sizes


def _fold_split(node: Node, known: Known) -> None:
    """The one operator here with several results."""
    try:
        value, axis = _constant(known, node, 0), int(node.attributes.get("axis", 0))
        given = known.numbers(node, 1) if known.given(node, 1) else list(node.attributes.get("split", ()))
        size = -(-value.shape[axis] // len(node.outputs))
        ends = np.cumsum(given)[:-1] if given else range(size, value.shape[axis], size)
        parts = np.split(value, list(map(int, ends)), axis)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError):
        return
    if value.size <= FOLDED and len(parts) == len(node.outputs):
        for name, part in zip(node.outputs, parts, strict=True):
            known.shapes[name], known.constants[name] = part.shape, part


def _constant(known: Known, node: Node, place: int) -> Array:
    return known.constants[node.inputs[place]]


def _constant_value(node: Node, known: Known) -> Array:
    for name in ("value", "value_int", "value_ints", "value_float", "value_floats"):
        if name in node.attributes:
            return np.asarray(node.attributes[name])
    raise LookupError("a constant without a number")


def _fold_slice(node: Node, known: Known) -> Array:
    value = _constant(known, node, 0)
    axes = known.numbers(node, 3) if known.given(node, 3) else list(range(len(known.numbers(node, 1))))
    steps = known.numbers(node, 4) if known.given(node, 4) else [1] * len(axes)
    parts = [slice(None)] * value.ndim
    for start, end, axis, step in zip(known.numbers(node, 1), known.numbers(node, 2), axes, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return np.asarray(value[tuple(parts)])


def _fold_divide(node: Node, known: Known) -> Array:
    a, b = _constant(known, node, 0), _constant(known, node, 1)
    if not np.issubdtype(a.dtype, np.integer):
        return np.asarray(a / b)
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)), a.dtype)  # toward 0, as C has it


def _fold_range(node: Node, known: Known) -> Array:
    start, limit, step = (float(_constant(known, node, place).item()) for place in range(3))
    _bounded([math.ceil((limit - start) / step)])
    return np.arange(start, limit, step).astype(_constant(known, node, 0).dtype)


def _fold_of_shape(node: Node, known: Known) -> Array:
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    return np.full(_bounded(known.numbers(node, 0)), value)


def _flat(value: Array, axis: int) -> Array:
    return np.asarray(value.reshape(int(np.prod(value.shape[:axis], dtype=np.int64)), -1))


def _fold_expand(node: Node, known: Known) -> Array:
    value, wanted = _constant(known, node, 0), tuple(known.numbers(node, 1))
    return np.array(np.broadcast_to(value, _bounded(np.broadcast_shapes(value.shape, _bounded(wanted)))))


def _fold_tile(node: Node, known: Known) -> Array:
    value, times = _constant(known, node, 0), known.numbers(node, 1)
    _bounded([value.size, *times])
    return np.asarray(np.tile(value, times))


def _fold_mod(node: Node, known: Known) -> Array:
    a, b = _constant(known, node, 0), _constant(known, node, 1)
    return np.asarray(np.fmod(a, b) if int(node.attributes.get("fmod", 0)) else np.mod(a, b))


def _fold_power(node: Node, known: Known) -> Array:
    a = _constant(known, node, 0)
    return np.asarray(np.power(a, _constant(known, node, 1)), a.dtype)


def _fold_clip(node: Node, known: Known) -> Array:
    low, high = (
        _constant(known, node, place) if known.given(node, place) else node.attributes.get(name)
        for place, name in ((1, "min"), (2, "max"))
    )
    value = _constant(known, node, 0)
    return value if low is None and high is None else np.clip(value, low, high)


def _elementwise(function: Callable[..., Array]) -> Fold:
    """Of all inputs, one after the other where there are more than the function takes."""
    return lambda node, known: np.asarray(
        function(*(_constant(known, node, place) for place in range(len(node.inputs))))
    )


def _of_many(function: Callable[[Array, Array], Array]) -> Fold:
    return lambda node, known: np.asarray(
        reduce(function, [_constant(known, node, place) for place in range(len(node.inputs))])
    )


def _reduction(function: Callable[..., Array]) -> Fold:
    def folded(node: Node, known: Known) -> Array:
        value, axes = _constant(known, node, 0), axes_of(node, known)
        if not axes and int(node.attributes.get("noop_with_empty_axes", 0)):
            return value
        keepdims = bool(int(node.attributes.get("keepdims", 1)))
        return np.asarray(function(value, axis=tuple(axes) or None, keepdims=keepdims), value.dtype)

    return folded


FOLDS: Mapping[str, Fold] = {
    "Constant": _constant_value,
    "ConstantOfShape": _fold_of_shape,
    "Shape": lambda node, known: np.asarray(known.shape(node, 0)[shape_part(node)], np.int64),
    "Size": lambda node, known: np.asarray(np.prod(known.shape(node, 0), dtype=np.int64)),
    "Range": _fold_range,
    "Gather": lambda node, known: np.take(
        _constant(known, node, 0), _constant(known, node, 1), axis=int(node.attributes.get("axis", 0))
    ),
    "Concat": lambda node, known: np.concatenate(
        [_constant(known, node, place) for place in range(len(node.inputs))], int(node.attributes["axis"])
    ),
    "Unsqueeze": lambda node, known: _constant(known, node, 0).reshape(unsqueezed(node, known)),
    "Squeeze": lambda node, known: _constant(known, node, 0).reshape(squeezed(node, known)),
    "Reshape": lambda node, known: _constant(known, node, 0).reshape(reshaped(node, known)),
    "Transpose": lambda node, known: _constant(known, node, 0).transpose(node.attributes.get("perm")),
    "Identity": lambda node, known: _constant(known, node, 0),
    "Cast": lambda node, known: _constant(known, node, 0).astype(DTYPES[int(node.attributes["to"])]),
    "Slice": _fold_slice,
    "Div": _fold_divide,
    "Mod": _fold_mod,
    "Pow": _fold_power,
    "Clip": _fold_clip,
    "Expand": _fold_expand,
    "Tile": _fold_tile,
    "Flatten": lambda node, known: _flat(_constant(known, node, 0), int(node.attributes.get("axis", 1))),
    "CumSum": lambda node, known: _constant(known, node, 0).cumsum(known.numbers(node, 1)[0]),
    "GatherElements": lambda node, known: np.take_along_axis(
        _constant(known, node, 0), _constant(known, node, 1), int(node.attributes.get("axis", 0))
    ),
    **{op: _elementwise(function) for op, function in _FUNCTIONS.items()},
    **{op: _of_many(function) for op, function in _MANY.items()},
    **{op: _reduction(function) for op, function in _REDUCTIONS.items()},
}
"""Operator -> its result where all inputs are constants."""
