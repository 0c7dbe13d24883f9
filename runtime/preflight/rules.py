"""Compatibility rules: what the NPU's compiler will object to, one function each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.onnx.graph import DTYPES, Graph, Node
from roma_device.runtime.onnx.known import Known

from .graph_cost import elements
from .npu_chip import NpuChip

Severity = Literal["fails", "unknown", "risk"]
"""It will not compile; nobody knows; it will, but look at accuracy or speed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where, why, and what to change."""

    severity: Severity
    rule: str
    node: str
    why: str
    change: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A graph with all that rules look at."""

    graph: Graph
    known: Known
    chip: NpuChip
    npu: str

    def producers(self) -> dict[str, Node]:
        return {name: node for node in self.graph.nodes for name in node.outputs}

    def live(self) -> Iterator[Node]:
        """Nodes that the compiler does not fold away."""
        return (node for node in self.graph.nodes if not all(name in self.known.constants for name in node.outputs))

    def shape(self, name: str) -> tuple[int, ...] | None:
        return self.known.shapes.get(name)


ADVICE = {
    "Einsum": "write it as MatMul with Transpose and Reshape",
    "GridSample": "fetch features by four Gathers",
    "GroupNormalization": "use batch norm, which is folded into the convolution",
    "Floor": "cast to int32: for numbers that are not negative it is the same",
    "Log": "leave logarithms to the program",
    "NonMaxSuppression": "cut the graph before it and let the program do it",
}


def operators(checked: Checked) -> Iterator[Finding]:
    """Not on the chip's list."""
    for node in checked.live():
        if node.domain not in ("", "ai.onnx"):
            why = f"{node.op} is of the domain {node.domain}, not of ONNX"
            yield Finding("fails", "operator", node.name, why, "export with ONNX's own operators")
        elif node.op not in checked.chip.operators:
            why = f"{node.op} is not on the list for {checked.chip.name}"
            yield Finding(
                "fails", "operator", node.name, why, ADVICE.get(node.op, "replace it by operators of the list")
            )


def opset(checked: Checked) -> Iterator[Finding]:
    if checked.graph.opset < checked.chip.least_opset:
        why = f"opset {checked.graph.opset} is older than {checked.chip.least_opset}"
        yield Finding("fails", "opset", "graph", why, "export with opset 17")


def attributes(checked: Checked) -> Iterator[Finding]:
    """Attributes with values that the list excludes."""
    for node in checked.live():
        for name, allowed in checked.chip.attributes.get(node.op, {}).items():
            values = node.attributes.get(name, ())
            for value in values if isinstance(values, tuple) else (values,):
                if _written(value) not in allowed:
                    why = f"{node.op} with {name} {_written(value)}; supported: {', '.join(allowed) or 'none'}"
                    yield Finding("fails", "attribute", node.name, why, f"export with a supported {name}")
                    break


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def special_attributes(checked: Checked) -> Iterator[Finding]:
    """Limits that are more than a list of values."""
    for node in checked.live():
        for found in _SPECIAL.get(node.op, _nothing)(checked, node):
            yield Finding("fails", "attribute", node.name, *found)


Found = Iterator[tuple[str, str]]


def _nothing(checked: Checked, node: Node) -> Found:
    return iter(())


def _cast(checked: Checked, node: Node) -> Found:
    target = DTYPES.get(int(node.attributes.get("to", 0)), "unknown")
    if target not in checked.chip.cast_to:
        yield f"Cast to {target}", "cast to int32 or float32"


def _pool(checked: Checked, node: Node) -> Found:
    if any(node.attributes.get("pads", ())) and not node.attributes.get("count_include_pad", 0):
        yield "AveragePool with padding that does not count", "set count_include_pad, or do not pad"


def _gather(checked: Checked, node: Node) -> Found:
    shape = checked.shape(node.inputs[1])
    if shape is not None and len(shape) > 1:
        yield f"Gather with indices of {len(shape)} dimensions", "flatten the indices and reshape the result"


def _resize(checked: Checked, node: Node) -> Found:
    nearest = node.attributes.get("mode", "nearest") == "nearest"
    if nearest and node.attributes.get("nearest_mode", "round_prefer_floor") != "round_prefer_ceil":
        yield "Resize to the nearest cell rounds down", "export with nearest_mode round_prefer_ceil"
    if node.attributes.get("coordinate_transformation_mode") == "align_corners":
        yield "Resize with aligned corners, which the list does not name", "resize with half_pixel coordinates"


def _pad(checked: Checked, node: Node) -> Found:
    if len(node.inputs) > 3 and node.inputs[3]:
        yield "Pad with axes", "give pads for all axes"


def _power(checked: Checked, node: Node) -> Found:
    exponent = checked.known.constants.get(node.inputs[1])
    if exponent is None or exponent.size != 1:
        yield "Pow whose exponent is not one constant number", "multiply instead"


def _slope(checked: Checked, node: Node) -> Found:
    shape = checked.shape(node.inputs[1])
    if shape is not None and len([size for size in shape if size > 1]) > 1:
        yield "PRelu with a slope for every cell", "use one slope per channel"


def _padding(checked: Checked, node: Node) -> Found:
    more, pads = node.attributes.get("output_padding", ()), node.attributes.get("pads", ())
    ends = tuple(pads)[len(more) :] or (0,) * len(more)
    if any(a > b for a, b in zip(more, ends, strict=False)):
        yield "ConvTranspose whose output_padding exceeds its padding at the end", "choose kernel and pads without it"


def _all_axes(checked: Checked, node: Node) -> Found:
    if not node.attributes.get("axes") and not (len(node.inputs) > 1 and node.inputs[1]):
        yield f"{node.op} without axes: the compiler was seen to reduce the last axis alone", "name all axes"


_SPECIAL: dict[str, Callable[[Checked, Node], Found]] = {
    "AveragePool": _pool,
    "Cast": _cast,
    "ConvTranspose": _padding,
    "Gather": _gather,
    "Pad": _pad,
    "Pow": _power,
    "PRelu": _slope,
    "ReduceMean": _all_axes,
    "Resize": _resize,
}


def instance_norm_memory(checked: Checked) -> Iterator[Finding]:
    """Its job holds float32 input and output at once."""
    for node in checked.live():
        shape = checked.shape(node.inputs[0]) if node.op == "InstanceNormalization" else None
        if shape is not None:
            yield from _job(checked, node, 8 * elements(shape[1:]) + 4)


def gather_memory(checked: Checked) -> Iterator[Finding]:
    """About 16 bytes per cell of the axis and 20 per index, as the compiler's messages were understood."""
    for node in checked.live():
        if node.op != "Gather":
            continue
        data, indices = checked.shape(node.inputs[0]), checked.shape(node.inputs[1])
        if data is not None and indices is not None and data:
            axis = int(node.attributes.get("axis", 0))
            yield from _job(checked, node, 16 * data[axis] + 20 * elements(indices))


def _job(checked: Checked, node: Node, needed: int) -> Iterator[Finding]:
    change = "normalize in the program" if node.op == "InstanceNormalization" else "split the indices and concatenate"
    limit = checked.chip.memory.get(node.op)
    if limit is None:
        if needed > LIKELY_SMALL_JOB:
            why = f"{node.op} needs {needed} bytes on the chip; the limit of {checked.chip.name} is not recorded"
            yield Finding("unknown", "memory", node.name, why, change)
    elif needed > limit:
        certain = checked.npu == "NPU1" or node.op == "Gather"
        why = f"{node.op} needs {needed} bytes on the chip, which has {int(limit)} for one job" + (
            "" if certain else " in NPU1 mode; more is not recorded"
        )
        yield Finding("fails" if certain else "unknown", "memory", node.name, why, change)


LIKELY_SMALL_JOB = 8 * 320 * 160 + 4
"""An InstanceNorm of this size compiled (320x160, grey); for chips of which nothing is recorded."""


def batch_statistics(checked: Checked) -> Iterator[Finding]:
    """BatchNormalization in training mode: not on the list, though an earlier compiler took it at most sizes."""
    for node in checked.live():
        if node.op != "BatchNormalization" or not node.attributes.get("training_mode", 0):
            continue
        shape = checked.shape(node.inputs[0]) or (0, 0, 0, 0)
        size = Size(shape[-1], shape[-2])
        yield Finding(*_batch_statistics(checked.chip, size, node), "normalize in the program")


def _batch_statistics(chip: NpuChip, size: Size, node: Node) -> tuple[Severity, str, str, str]:
    text = "BatchNormalization with statistics of its input"
    sizes = {size, size[::-1]}
    if sizes & chip.compiled_sizes:
        why = f"{text} compiled at {size[0]}x{size[1]} once; the list of Pulsar2 7.0 excludes it"
        return "risk", "batch statistics", node.name, why
    if sizes & chip.failed_sizes:
        why = f"{text} failed at {size[0]}x{size[1]} once, while larger images compiled; the reason is not known"
        return "unknown", "batch statistics", node.name, why
    if chip.compiled_sizes:
        why = f"{text} compiled at other sizes than {size[0]}x{size[1]}, and failed at one; the list excludes it"
        return "unknown", "batch statistics", node.name, why
    return "fails", "batch statistics", node.name, f"{text}, which the list for {chip.name} excludes"


def index_as_logit(checked: Checked) -> Iterator[Finding]:
    """The released inference branch of TinyRoMa: an ArgMax goes into a Softmax."""
    producers = checked.producers()
    for node in checked.live():
        if node.op == "Softmax" and _comes_from(producers, node.inputs[0], "ArgMax", _CARRIERS):
            why = "the index of an ArgMax is one of the logits of this Softmax, a form that failed to compile"
            yield Finding("fails", "argmax", node.name, why, "take the expectation over all candidates")


_CARRIERS = frozenset(["Concat", "Cast", "Unsqueeze", "Reshape", "Transpose", "Squeeze"])


def _comes_from(producers: dict[str, Node], name: str, op: str, through: frozenset[str]) -> bool:
    stack, seen = [name], set()
    while stack:
        node = producers.get(stack.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op == op:
            return True
        if node.op in through:
            stack.extend(node.inputs)
    return False


def written_normalization(checked: Checked) -> Iterator[Finding]:
    """(x - mean) / std over an image: many small operators, and it failed to compile."""
    producers = checked.producers()
    for node in checked.live():
        if node.op == "Div" and _is_deviation(checked, producers, node.inputs[1]):
            why = "(x - mean) / std over the image is written out, which failed to compile"
            yield Finding("fails", "written normalization", node.name, why, "normalize in the program")


def _is_deviation(checked: Checked, producers: dict[str, Node], name: str) -> bool:
    """A square root over an average of whole images."""
    if not _comes_from(producers, name, "Sqrt", frozenset(["Clip", "Add", "Max"])):
        return False
    shape = checked.shape(name)
    through = frozenset(["Sqrt", "Add", "Mul", "Div", "Sub", "Clip", "Max", "Reshape", "Cast", "Unsqueeze", "Squeeze"])
    return bool(
        shape is not None
        and elements(shape) <= 1
        and any(_comes_from(producers, name, op, through) for op in ("ReduceMean", "ReduceSum"))
    )


def wide_inputs(checked: Checked) -> Iterator[Finding]:
    for name, info in checked.graph.inputs.items():
        if info.dtype in ("int64", "float64"):
            why = f"the input {name} is {info.dtype}, which the compiler narrows without a word"
            yield Finding("risk", "input", name, why, "declare it as int32 or float32")


MANY_CANDIDATES = 1000


def expected_positions(checked: Checked) -> Iterator[Finding]:
    """Softmax and the mean position that follows: where 8 bits cost pixels."""
    producers = checked.producers()
    for node in checked.live():
        if node.op not in ("MatMul", "Conv") or not _is_position(checked, producers, node):
            continue
        softmax = _softmax_before(producers, node.inputs[0])
        shape = checked.shape(softmax.inputs[0]) if softmax else None
        if softmax is None or shape is None:
            continue
        count = shape[int(softmax.attributes.get("axis", -1))]
        many = count >= MANY_CANDIDATES
        why = f"a position is the mean over {count} candidates; in 8 bits it has 256 steps"
        why += ", and each probability counts only from 1/256 on" if many else ""
        yield Finding("risk", "quantization", node.name, why, "keep softmax and position in 16 bits (layer_configs)")


LEAST_POSITIONS = 8
"""So many weights in even steps are no accident."""

WEIGHT_LEVELS = 127
"""Weights are held in 8 bits, symmetric about 0, whatever the activations are in."""


def coarse_weights(checked: Checked) -> Iterator[Finding]:
    """Weights that count: the compiler would round them to 8 bits."""
    for node in checked.live():
        weight = checked.known.constants.get(node.inputs[1]) if node.op in ("Conv", "MatMul", "Gemm") else None
        if weight is None or weight.ndim < 2:
            continue
        rows = weight.reshape(weight.shape[0], -1) if node.op == "Conv" else weight.reshape(-1, weight.shape[-1]).T
        error = max((_rounding(row) for row in rows if _counts_evenly(row)), default=0.0)
        if error > 0:
            why = (
                f"its weights count in even steps, and in the 8 bits that weights have each is off by up to {error:.2g}"
            )
            change = "multiply by them as a constant and sum with weights of 1 (python -m model.pulsar2 does)"
            yield Finding("risk", "quantization", node.name, why, change)


def _counts_evenly(row: np.ndarray[Any, Any]) -> bool:
    if row.size < LEAST_POSITIONS or row.size > 1 << 16:
        return False
    levels = np.unique(row.astype(np.float64))
    steps = np.diff(levels)
    return bool(levels.size >= LEAST_POSITIONS and np.ptp(steps) < 1e-3 * steps.mean())


def _rounding(row: np.ndarray[Any, Any]) -> float:
    """Greatest error of a weight; 0 where a hundredth of a step is left."""
    step = float(np.abs(row).max()) / WEIGHT_LEVELS
    error = float(np.abs(np.rint(row / step) * step - row).max())
    return error if error > 0.01 * float(np.diff(np.unique(row)).mean()) else 0.0


def _is_position(checked: Checked, producers: dict[str, Node], node: Node) -> bool:
    """A product with a constant that is no learned weight: as many outputs as axes."""
    weight = checked.known.constants.get(node.inputs[1])
    if weight is None:
        return False
    outputs = weight.shape[0] if node.op == "Conv" else weight.shape[-1]
    return outputs <= 2 and weight.size > outputs and float(np.std(weight)) > 0


def _softmax_before(producers: dict[str, Node], name: str) -> Node | None:
    for _ in range(4):
        node = producers.get(name)
        if node is None or node.op == "Softmax":
            return node
        name = node.inputs[0]
    return None


RULES: tuple[Callable[[Checked], Iterator[Finding]], ...] = (
    opset,
    operators,
    attributes,
    special_attributes,
    instance_norm_memory,
    gather_memory,
    batch_statistics,
    index_as_logit,
    written_normalization,
    wide_inputs,
    expected_positions,
    coarse_weights,
)
