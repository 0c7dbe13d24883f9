"""Shape inference and constant folding of a graph whose inputs are of fixed size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .folding import fold
from .graph import Graph, Node
from .known import Known, Shape, axes_of, reshaped, shape_part, squeezed, unsqueezed

Rule = Callable[[Node, "Known"], "Shape | list[Shape]"]


def infer(graph: Graph) -> Known:
    """Values that depend on an unknown operator, or on numbers of the input, are left out."""
    known = Known()
    for name, weight in graph.weights.items():
        known.shapes[name], known.constants[name] = weight.shape, weight
    for name, info in {**graph.declared, **graph.inputs}.items():
        if info.shape is not None and None not in info.shape:
            known.shapes[name] = tuple(size for size in info.shape if size is not None)
    for node in graph.nodes:
        fold(node, known)
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


def _flatten(node: Node, known: Known) -> Shape:
    shape, axis = known.shape(node, 0), int(node.attributes.get("axis", 1))
    return int(np.prod(shape[:axis], dtype=np.int64)), int(np.prod(shape[axis:], dtype=np.int64))


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
    shape, axes = known.shape(node, 0), axes_of(node, known)
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
    "Reshape": reshaped,
    "Resize": _resize,
    "Shape": lambda node, known: (len(known.shape(node, 0)[shape_part(node)]),),
    "Size": lambda node, known: (),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": squeezed,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": unsqueezed,
}
"""Operator -> shape of its outputs, or a list with one for each."""
