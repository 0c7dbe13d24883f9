"""``roma-device model show``: what a bundle or a model file is, by its bytes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.files import read_bytes
from roma_device.runtime.card import ModelCard, ModelError, ModelFile, Stage, TensorSpec
from roma_device.runtime.onnx.axmodel import is_compiled, is_encrypted, read_axmodel
from roma_device.runtime.onnx.graph import Graph, TensorInfo, read_onnx
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.preflight.graph_cost import graph_cost


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """One file: an ONNX graph, a compiled one, or an encrypted one, of which little is known."""

    path: str
    kind: str  # "onnx", "axmodel", "encrypted", or "other" for a format of another tool
    size_mb: float
    inputs: tuple[str, ...] = ()  # "left 1x1x320x640 float32"
    outputs: tuple[str, ...] = ()
    made_by: str = ""
    nodes: int | None = None
    opset: int | None = None
    gmac: float | None = None  # of fixed or given size
    moved_mb: float | None = None  # at 8 bits
    parameters: int | None = None
    cost_size: str = ""
    chip: str = ""
    cores: str = ""
    on_cpu: tuple[str, ...] = ()
    problem: str = ""

    def lines(self) -> Iterator[str]:
        made_by = f", made by {self.made_by}" if self.made_by else ""
        yield f"{self.path}: {self.kind}, {self.size_mb:.1f} MB{made_by}"
        if self.problem:
            yield f"  {self.problem}"
        if self.chip:
            yield f"  compiled for {self.chip}, {self.cores}; on the CPU: {', '.join(self.on_cpu) or 'nothing'}"
        if self.opset:
            yield f"  {self.nodes} nodes, opset {self.opset}, {self.parameters} parameters"
        if self.gmac is not None:
            yield f"  at {self.cost_size}: {self.gmac:.2f} GMAC, {self.moved_mb:.1f} MB moved besides convolutions"
        yield from (f"  input  {each}" for each in self.inputs)
        yield from (f"  output {each}" for each in self.outputs)


@dataclass(frozen=True, slots=True)
class Description:
    """A bundle's card, empty for a bare file, and its graphs."""

    card: Mapping[str, Any]
    graphs: tuple[GraphFacts, ...]

    def as_json(self) -> dict[str, Any]:
        return {"card": dict(self.card), "graphs": [asdict(graph) for graph in self.graphs]}

    def as_text(self) -> str:
        card = [f"{key}: {_plain(value)}" for key, value in self.card.items() if value not in ("", {}, ())]
        return "\n".join([*card, *(line for graph in self.graphs for line in graph.lines())])


def describe_model(model: str, size: Size | None = None) -> Description:
    """``model`` is a bundle folder, the name of a bundled model, or a file; raises ModelError."""
    path = Path(model)
    if path.is_file():
        return Description({}, (_facts(path, read_bytes(path, error=ModelError), size),))
    card = find_model(model)
    graphs = [_of_bundle(file, kind, size or card.default_size) for kind, file in card.every_file.items()]
    return Description(_card_facts(card), tuple(graphs))


def _of_bundle(file: ModelFile, kind: str, size: Size) -> GraphFacts:
    """A file that is missing, or not the one that the card names, is a fact like others."""
    try:
        data = file.read()
    except ModelError as error:
        return GraphFacts(str(file.path), kind, 0.0, problem=str(error))
    return _facts(file.path, data, size)


def _facts(path: Path, data: bytes, size: Size | None) -> GraphFacts:
    megabytes = len(data) / 1e6
    if is_encrypted(data):
        text = "encrypted by the compiler: chip, cores and tensors are known to the vendor's runtime alone"
        return GraphFacts(str(path), "encrypted", megabytes, problem=text)
    if path.suffix not in (".onnx", ".axmodel"):
        return GraphFacts(str(path), "other", megabytes)
    graph = read_onnx(data, path)
    if is_compiled(graph):
        return _compiled_facts(path, data, megabytes)
    return _onnx_facts(path, graph, megabytes, size)


def _compiled_facts(path: Path, data: bytes, megabytes: float) -> GraphFacts:
    model = read_axmodel(data, path)
    return GraphFacts(
        str(path),
        "axmodel",
        megabytes,
        _tensors(model.inputs),
        _tensors(model.outputs),
        f"Pulsar2 {model.compiler}".strip(),
        chip=model.chip,
        cores=model.cores,
        on_cpu=model.on_cpu,
    )


def _onnx_facts(path: Path, graph: Graph, megabytes: float, size: Size | None) -> GraphFacts:
    """Nothing is known of the cost of a graph of open size, or with operators that are not counted."""
    fixed = graph if size is None else graph.with_size(size)
    is_open = any(info.shape is None or None in info.shape for info in fixed.inputs.values())
    counted = None if is_open else graph_cost(fixed, infer(fixed))
    cost = None if counted is None or counted.unknown else counted
    shape = next((info.shape for info in fixed.inputs.values() if info.shape), ())
    return GraphFacts(
        str(path),
        "onnx",
        megabytes,
        _tensors(graph.inputs),
        _tensors(graph.outputs),
        graph.producer,
        len(graph.nodes),
        graph.opset,
        None if cost is None else cost.gmac,
        None if cost is None else cost.moved_mb,
        sum(int(weights.size) for weights in graph.weights.values()),
        _text(shape),
    )


def _card_facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "task": card.task,
        "inputs": [_spec(spec) for spec in card.inputs],
        "outputs": [_spec(spec) for spec in card.outputs],
        "stages": [_stage(stage) for stage in card.stages],
        "normalization": card.normalization,
        "convention": card.convention,
        "default_size": f"{card.default_size[0]}x{card.default_size[1]}",
        "enlarge": card.enlarge,
        "size_multiple": card.size_multiple,
        "min_confidence": card.min_confidence,
        "trained_on": card.trained_on,
        "measured": dict(card.measured),
    }


def _stage(stage: Stage) -> str:
    between = f", {stage.host} before each of {stage.passes} passes" if stage.host else ""
    return f"{stage.name} ({', '.join(stage.files)}){between}"


def _spec(spec: TensorSpec) -> str:
    return f"{spec.name} {_text(spec.shape)} {spec.dtype} {spec.layout}"


def _tensors(tensors: Mapping[str, TensorInfo]) -> tuple[str, ...]:
    return tuple(f"{name} {_text(info.shape)} {info.dtype}" for name, info in tensors.items())


def _text(shape: tuple[int | None, ...] | None) -> str:
    return "of any shape" if shape is None else "x".join("?" if size is None else str(size) for size in shape)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
