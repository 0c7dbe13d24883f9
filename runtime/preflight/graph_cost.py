"""Cost of a graph: multiply-accumulates (MACs), memory traffic, and the latency on an NPU that follows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from roma_device.calibration.storage.yaml_section import read_section
from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.graph import Graph, Node
from roma_device.runtime.onnx.shapes import Known, einsum_sizes

FREE = frozenset(
    ["Constant", "ConstantOfShape", "Dropout", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"]
)
"""Operators that move nothing: the compiler renames the tensor."""

CONVOLUTIONS = frozenset(["Conv", "ConvTranspose", "Gemm", "Relu"])
"""Their traffic goes with their products; a Relu is done by the convolution before it."""


PRODUCTS = frozenset(["MatMul", "Einsum", "Softmax"])


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One operator's work."""

    node: Node
    macs: int  # multiply-accumulates of convolutions and products
    moved: int  # elements of its inputs and outputs without weights; bytes where each has 8 bits


@dataclass(frozen=True, slots=True)
class GraphCost:
    """The costs of all operators with known shapes, and the names of those without."""

    nodes: tuple[NodeCost, ...]
    unknown: tuple[str, ...]
    parameters: int

    @property
    def gmac(self) -> float:
        return sum(cost.macs for cost in self.nodes) / 1e9

    @property
    def products_mb(self) -> float:
        """10^6 elements that matrix products and softmax read and write."""
        return sum(cost.moved for cost in self.nodes if cost.node.op in PRODUCTS) / 1e6

    @property
    def moved_mb(self) -> float:
        """10^6 elements that operators other than convolutions read and write."""
        return sum(cost.moved for cost in self.nodes if cost.node.op not in CONVOLUTIONS) / 1e6

    @property
    def largest(self) -> NodeCost | None:
        """The operator that moves most."""
        return max(self.nodes, key=lambda cost: cost.moved, default=None)


def graph_cost(graph: Graph, known: Known) -> GraphCost:
    """Costs of the operators that depend on the inputs: what is constant is done by the compiler."""
    costs, unknown = [], []
    for node in graph.nodes:
        if all(name in known.constants for name in node.outputs) or node.op in FREE:
            continue
        cost = _node_cost(node, known)
        if cost is None:
            unknown.append(node.name)
        else:
            costs.append(cost)
    weights = sum(int(weight.size) for weight in graph.weights.values() if weight.dtype.kind == "f")
    return GraphCost(tuple(costs), tuple(unknown), weights)


def elements(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _node_cost(node: Node, known: Known) -> NodeCost | None:
    names = [name for name in (*node.inputs, *node.outputs[:1]) if name and name not in known.constants]
    if any(name not in known.shapes for name in names):
        return None
    return NodeCost(node, _macs(node, known), sum(elements(known.shapes[name]) for name in names))


def _macs(node: Node, known: Known) -> int:
    result = elements(known.shapes[node.outputs[0]])
    if node.op == "Conv":
        return result * elements(known.shape(node, 1)[1:])
    if node.op == "ConvTranspose":
        return elements(known.shape(node, 0)) * elements(known.shape(node, 1)[1:])
    if node.op == "MatMul":
        return result * known.shape(node, 0)[-1]
    if node.op == "Gemm":
        return result * known.shape(node, 0)[0 if node.attributes.get("transA", 0) else 1]
    if node.op == "Einsum":
        return int(np.prod(list(einsum_sizes(node, known)[0].values()), dtype=np.int64))
    return 0


@dataclass(frozen=True, slots=True)
class LatencyLaw:
    """``ms = per_gmac * GMAC + per_products_mb * MB``, as ``python -m model.studies.fit_latency`` wrote it."""

    chip: str
    npu: str
    ms_per_gmac: float
    ms_per_products_mb: float
    median_error: float  # relative, leave-one-out
    greatest_error: float
    greatest_moved_mb_per_gmac: float  # among the measured graphs

    def estimate(self, cost: GraphCost) -> LatencyEstimate:
        ms = self.ms_per_gmac * cost.gmac + self.ms_per_products_mb * cost.products_mb
        beyond = cost.moved_mb > self.greatest_moved_mb_per_gmac * max(cost.gmac, 1e-9)
        return LatencyEstimate(ms, self.median_error, beyond or bool(cost.unknown))


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """Milliseconds; a graph that moves more for its products than any measured one gets a lower bound."""

    ms: float
    relative_error: float  # median, of the law
    lower_bound: bool


def load_latency_law(path: Path) -> LatencyLaw:
    """Raises ModelError with file, line and key at fault."""
    top = read_section(path, "latency law", ModelError)
    law = LatencyLaw(
        top.text("chip"),
        top.text("npu"),
        *(top.number(key.name) for key in fields(LatencyLaw)[2:]),
    )
    top.sections("rows")
    top.finish()
    return law
