"""Shape inference and constant folding of a graph whose inputs are of fixed size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .graph import DTYPES, Array, Graph, Node

Shape = tuple[int, ...]
Rule = Callable[[Node, "Known"], "Shape | list[Shape]"]
FOLDED = 4096
"""Constants up to so many elements are computed: shapes and indices, no weights."""


@dataclass(slots=True)
class Known:
    """What is known so far."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def shape(self, node: Node, place: int) -> Shape:
        """Of an input; raises LookupError where it is unknown."""
        return self.shapes[node.inputs[place]]

    def numbers(self, node: Node, place: int) -> list[int]:
        """An input that is a constant; raises LookupError where it is none."""
        return [int(x) for x in self.constants[node.inputs[place]].reshape(-1)]

    def given(self, node: Node, place: int) -> bool:
        return len(node.inputs) > place and node.inputs[place] != ""


def infer(graph: Graph) -> Known:
    """Values that depend on an unknown operator, or on numbers of the input, are left out."""
    known = Known()
    for name, weight in graph.weights.items():
        known.shapes[name], known.constants[name] = weight.shape, weight
    for name, info in {**graph.declared, **graph.inputs}.items():
        if info.shape is not None and None not in info.shape:
            known.shapes[name] = tuple(size for size in info.shape if size is not None)
    for node in graph.nodes:
        _fold(node, known)
        _infer_node(node, known)
    return known


def _infer_node(node: Node, known: Known) -> None:
    rule = RULES.get(node.op)
    if rule is None or node.outputs[0] in known.constants:
        return
    try:
        result = rule(node, known)
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        return
    shapes = result if isinstance(result, list) else [result] * len(node.outputs)
    for name, shape in zip(node.outputs, shapes, strict=False):
        known.shapes[name] = shape


def _fold(node: Node, known: Known) -> None:
    """Compute the constants that shape arithmetic consists of."""
    evaluate = FOLDS.get(node.op)
    if evaluate is None:
        return
    try:
        value = evaluate(node, known)
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        return
    if value.size <= FOLDED or node.op == "Constant":
        known.shapes[node.outputs[0]], known.constants[node.outputs[0]] = value.shape, value


def _constant(known: Known, node: Node, place: int) -> Array:
    return known.constants[node.inputs[place]]


def _axes(node: Node, known: Known, place: int = 1) -> list[int]:
    """As an attribute until opset 12 or 17, as an input from then on."""
    if known.given(node, place):
        return known.numbers(node, place)
    return [int(axis) for axis in node.attributes.get("axes", ())]


def _same(node: Node, known: Known) -> Shape:
    return known.shape(node, 0)


def _broadcast(node: Node, known: Known) -> Shape:
    return tuple(np.broadcast_shapes(*(known.shape(node, place) for place in range(len(node.inputs)))))


def _window(node: Node, known: Known, kernel: Shape, outputs: int) -> Shape:
    shape = known.shape(node, 0)
    rank = len(kernel)
    strides = node.attributes.get("strides", (1,) * rank)
    dilations = node.attributes.get("dilations", (1,) * rank)
    if node.attributes.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return (shape[0], outputs, *(-(-size // step) for size, step in zip(shape[2:], strides, strict=True)))
    pads = node.attributes.get("pads", (0,) * 2 * rank)
    ceil = int(node.attributes.get("ceil_mode", 0))
    sizes = []
    for axis, size in enumerate(shape[2:]):
        span = size + pads[axis] + pads[axis + rank] - dilations[axis] * (kernel[axis] - 1) - 1
        sizes.append((-(-span // strides[axis]) if ceil else span // strides[axis]) + 1)
    return (shape[0], outputs, *sizes)


def _conv(node: Node, known: Known) -> Shape:
    weight = known.shape(node, 1)
    return _window(node, known, weight[2:], weight[0])


def _pool(node: Node, known: Known) -> Shape:
    return _window(node, known, tuple(node.attributes["kernel_shape"]), known.shape(node, 0)[1])


def _global_pool(node: Node, known: Known) -> Shape:
    shape = known.shape(node, 0)
    return (*shape[:2], *(1 for _ in shape[2:]))


def _conv_transpose(node: Node, known: Known) -> Shape:
    shape, weight = known.shape(node, 0), known.shape(node, 1)
    rank = len(shape) - 2
    strides = node.attributes.get("strides", (1,) * rank)
    pads = node.attributes.get("pads", (0,) * 2 * rank)
    more = node.attributes.get("output_padding", (0,) * rank)
    sizes = [strides[k] * (shape[2 + k] - 1) + more[k] + weight[2 + k] - pads[k] - pads[k + rank] for k in range(rank)]
    return (shape[0], weight[1] * int(node.attributes.get("group", 1)), *sizes)


def _matmul(node: Node, known: Known) -> Shape:
    a, b = known.shape(node, 0), known.shape(node, 1)
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def _gemm(node: Node, known: Known) -> Shape:
    a, b = known.shape(node, 0), known.shape(node, 1)
    rows = a[1] if node.attributes.get("transA", 0) else a[0]
    return rows, b[0] if node.attributes.get("transB", 0) else b[1]


def _concat(node: Node, known: Known) -> Shape:
    shapes = [known.shape(node, place) for place in range(len(node.inputs))]
    axis = int(node.attributes["axis"]) % len(shapes[0])
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _split(node: Node, known: Known) -> list[Shape]:
    shape, count = known.shape(node, 0), len(node.outputs)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    given = known.numbers(node, 1) if known.given(node, 1) else list(node.attributes.get("split", ()))
    even = -(-shape[axis] // count)
    sizes = given or [even] * (count - 1) + [shape[axis] - even * (count - 1)]
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _slice(node: Node, known: Known) -> Shape:
    shape = list(known.shape(node, 0))
    starts, ends = known.numbers(node, 1), known.numbers(node, 2)
    axes = known.numbers(node, 3) if known.given(node, 3) else list(range(len(starts)))
    steps = known.numbers(node, 4) if known.given(node, 4) else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
    return tuple(shape)


def _gather(node: Node, known: Known) -> Shape:
    data, indices = known.shape(node, 0), known.shape(node, 1)
    axis = int(node.attributes.get("axis", 0)) % len(data)
    return (*data[:axis], *indices, *data[axis + 1 :])


def _transpose(node: Node, known: Known) -> Shape:
    shape = known.shape(node, 0)
    order = node.attributes.get("perm") or tuple(reversed(range(len(shape))))
    return tuple(shape[axis] for axis in order)


def _reshape(node: Node, known: Known) -> Shape:
    old, wanted = known.shape(node, 0), known.numbers(node, 1)
    sizes = [old[place] if size == 0 else size for place, size in enumerate(wanted)]
    rest = int(np.prod([size for size in sizes if size > 0], dtype=np.int64))
    return tuple(int(np.prod(old, dtype=np.int64)) // rest if size < 0 else size for size in sizes)


def _flatten(node: Node, known: Known) -> Shape:
    shape, axis = known.shape(node, 0), int(node.attributes.get("axis", 1))
    return int(np.prod(shape[:axis], dtype=np.int64)), int(np.prod(shape[axis:], dtype=np.int64))


def _squeeze(node: Node, known: Known) -> Shape:
    shape, axes = known.shape(node, 0), _axes(node, known)
    gone = {axis % len(shape) for axis in axes} if axes else {k for k, size in enumerate(shape) if size == 1}
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _unsqueeze(node: Node, known: Known) -> Shape:
    shape, axes = list(known.shape(node, 0)), _axes(node, known)
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return tuple(shape)


def _expand(node: Node, known: Known) -> Shape:
    return tuple(np.broadcast_shapes(known.shape(node, 0), tuple(known.numbers(node, 1))))


def _tile(node: Node, known: Known) -> Shape:
    return tuple(size * count for size, count in zip(known.shape(node, 0), known.numbers(node, 1), strict=True))


def _pad(node: Node, known: Known) -> Shape:
    shape = known.shape(node, 0)
    pads = known.numbers(node, 1) if known.given(node, 1) else list(node.attributes["pads"])
    rank = len(shape)
    return tuple(size + pads[k] + pads[k + rank] for k, size in enumerate(shape))


def _resize(node: Node, known: Known) -> Shape:
    shape = known.shape(node, 0)
    if known.given(node, 3):
        return tuple(known.numbers(node, 3))
    scales = known.constants[node.inputs[2]].reshape(-1)
    return tuple(int(size * float(scale)) for size, scale in zip(shape, scales, strict=True))


def _reduce(node: Node, known: Known) -> Shape:
    shape, axes = known.shape(node, 0), _axes(node, known)
    gone = {axis % len(shape) for axis in axes} if axes else set(range(len(shape)))
    if int(node.attributes.get("keepdims", 1)):
        return tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _arg_reduce(node: Node, known: Known) -> Shape:
    shape = known.shape(node, 0)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    kept = (1,) if int(node.attributes.get("keepdims", 1)) else ()
    return (*shape[:axis], *kept, *shape[axis + 1 :])


def _top_k(node: Node, known: Known) -> Shape:
    shape, axis = list(known.shape(node, 0)), int(node.attributes.get("axis", -1))
    shape[axis] = known.numbers(node, 1)[0]
    return tuple(shape)


def _grid_sample(node: Node, known: Known) -> Shape:
    return (*known.shape(node, 0)[:2], *known.shape(node, 1)[1:-1])


def _depth_to_space(node: Node, known: Known) -> Shape:
    batch, channels, height, width = known.shape(node, 0)
    block = int(node.attributes["blocksize"])
    return batch, channels // block**2, height * block, width * block


def _space_to_depth(node: Node, known: Known) -> Shape:
    batch, channels, height, width = known.shape(node, 0)
    block = int(node.attributes["blocksize"])
    return batch, channels * block**2, height // block, width // block


def einsum_sizes(node: Node, known: Known) -> tuple[dict[str, int], str]:
    """Size of each label, and the labels of the result."""
    left, _, right = str(node.attributes["equation"]).replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for place, labels in enumerate(left.split(",")):
        sizes.update(zip(labels, known.shape(node, place), strict=True))
    return sizes, right


def _einsum(node: Node, known: Known) -> Shape:
    sizes, right = einsum_sizes(node, known)
    return tuple(sizes[label] for label in right)


def _of_shape(node: Node, known: Known) -> Shape:
    return tuple(known.numbers(node, 0))


_SAME = (
    "Abs BatchNormalization Cast Ceil Clip Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity "
    "InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Mish Neg Not Relu Reciprocal "
    "Round ScatterElements ScatterND Sigmoid Sign Silu Sin Softmax Softplus Sqrt Swish Tan Tanh Dropout CumSum PRelu"
)
_BROADCAST = "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Or Pow Sub Where Xor"
_REDUCE = "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME.split(), _same),
    **dict.fromkeys(_BROADCAST.split(), _broadcast),
    **dict.fromkeys(_REDUCE.split(), _reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg_reduce),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "Concat": _concat,
    "ConstantOfShape": _of_shape,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Einsum": _einsum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": lambda node, known: known.shape(node, 1),
    "Gemm": _gemm,
    "GridSample": _grid_sample,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda node, known: (len(known.shape(node, 0)),),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operator -> shape of its outputs, or a list with one for each."""


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
    return np.asarray(a // b if np.issubdtype(a.dtype, np.integer) else a / b)


def _fold_range(node: Node, known: Known) -> Array:
    start, limit, step = (float(_constant(known, node, place).item()) for place in range(3))
    return np.arange(start, limit, step).astype(_constant(known, node, 0).dtype)


def _fold_of_shape(node: Node, known: Known) -> Array:
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    return np.full(tuple(known.numbers(node, 0)), value)


FOLDS: Mapping[str, Callable[[Node, Known], Array]] = {
    "Constant": _constant_value,
    "ConstantOfShape": _fold_of_shape,
    "Shape": lambda node, known: np.asarray(known.shape(node, 0), np.int64),
    "Range": _fold_range,
    "Gather": lambda node, known: np.take(
        _constant(known, node, 0), _constant(known, node, 1), axis=int(node.attributes.get("axis", 0))
    ),
    "Concat": lambda node, known: np.concatenate(
        [_constant(known, node, place) for place in range(len(node.inputs))], int(node.attributes["axis"])
    ),
    "Unsqueeze": lambda node, known: _constant(known, node, 0).reshape(_unsqueeze(node, known)),
    "Squeeze": lambda node, known: _constant(known, node, 0).reshape(_squeeze(node, known)),
    "Reshape": lambda node, known: _constant(known, node, 0).reshape(_reshape(node, known)),
    "Transpose": lambda node, known: _constant(known, node, 0).transpose(node.attributes.get("perm")),
    "Identity": lambda node, known: _constant(known, node, 0),
    "Cast": lambda node, known: _constant(known, node, 0).astype(DTYPES[int(node.attributes["to"])]),
    "Floor": lambda node, known: np.floor(_constant(known, node, 0)),
    "Slice": _fold_slice,
    "Add": lambda node, known: _constant(known, node, 0) + _constant(known, node, 1),
    "Sub": lambda node, known: _constant(known, node, 0) - _constant(known, node, 1),
    "Mul": lambda node, known: _constant(known, node, 0) * _constant(known, node, 1),
    "Div": _fold_divide,
}
"""Operator -> its result where all inputs are constants."""
