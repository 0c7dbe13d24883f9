"""Preflight of an ONNX graph: will it compile for the NPU, and how fast will it be? By the file alone."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.axmodel import COMPILED_OP, CompiledModel, is_compiled
from roma_device.runtime.onnx.graph import Graph, read_onnx
from roma_device.runtime.onnx.shapes import infer

from .graph_cost import GraphCost, LatencyEstimate, LatencyLaw, graph_cost
from .npu_chip import NpuChip
from .rules import RULES, Checked, Finding
from .sized import shape_text

OF_IMAGES = "give --size WIDTHxHEIGHT or export it with a fixed size"
OF_OTHERS = "export it with fixed sizes (--size is for inputs of batch x channels x height x width)"
Verdict = Literal["compiles", "fails", "unknown"]


@dataclass(frozen=True, slots=True)
class Report:
    """What preflight has to say; ``latency`` is None where nothing was measured to estimate it from."""

    subject: str
    chip: str
    npu: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    source: str  # of the operator list
    gmac: float | None = None
    moved_mb: float | None = None
    largest_operator: str = ""
    largest_mb: float | None = None
    latency: LatencyEstimate | None = None
    measured_median_error: float | None = None
    notes: tuple[str, ...] = ()  # how the inputs' sizes were taken

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        lines = [f"{self.subject} for {self.chip} in {self.npu} mode: {_VERDICTS[self.verdict]}"]
        lines += [f"  {finding.severity}: {finding.node}: {finding.why}; {finding.change}" for finding in self.findings]
        lines += [f"  note: {note}" for note in self.notes]
        if self.gmac is not None and self.moved_mb is not None:
            lines.append(
                f"{self.gmac:.2f} GMAC, {self.moved_mb:.1f} MB moved at 8 bits besides convolutions, "
                f"at most {self.largest_mb:.1f} MB by one operator ({self.largest_operator})"
            )
        lines.append(self._latency_text())
        return "\n".join([*lines, f"operators: {self.source}"])

    def _latency_text(self) -> str:
        if self.latency is None:
            return f"latency: unknown, nothing was measured on {self.chip} in {self.npu} mode"
        text = f"estimated latency: {'at least ' if self.latency.lower_bound else ''}{self.latency.ms:.1f} ms"
        error = f" (median error of the estimate {100 * self.latency.relative_error:.0f} %)"
        if self.latency.lower_bound:
            return text + ": the graph moves more around its products than any that was measured"
        return text + error


_VERDICTS = {
    "compiles": "nothing is known that keeps it from compiling",
    "fails": "it will not compile",
    "unknown": "nobody knows whether it compiles",
}


def check_graph(
    graph: Graph, subject: str, chip: NpuChip, npu: str, law: LatencyLaw | None, path: Path = Path()
) -> Report:
    """``graph`` must have inputs of fixed size; raises ModelError where it has not, or ``npu`` is not of the chip."""
    check_mode(chip, npu)
    if is_compiled(graph):
        return _compiled(graph, subject, chip, npu)
    _check_fixed(graph, subject)
    known = infer(graph)
    checked = Checked(graph, known, chip, npu)
    findings = tuple(finding for rule in RULES for finding in rule(checked))
    cost = graph_cost(graph, known)
    applies = law is not None and (law.chip, law.npu) == (chip.name, npu)
    return Report(
        subject,
        chip.name,
        npu,
        _verdict(findings),
        findings,
        chip.source,
        cost.gmac,
        cost.moved_mb,
        *_largest(cost),
        law.estimate(cost) if applies and law is not None else None,
        law.median_error if applies and law is not None else None,
    )


def check_mode(chip: NpuChip, npu: str) -> None:
    if npu not in chip.npu_modes:
        raise ModelError(f"{chip.name} has no mode {npu}; known: {', '.join(chip.npu_modes)}", exit_code=os.EX_USAGE)


def read_graph(path: Path, data: bytes, size: Size | None) -> Graph:
    """The graph of a file; its open dimensions become ``size`` where one is given."""
    graph = read_onnx(data, path)
    return graph if size is None else graph.with_size(size)


def _check_fixed(graph: Graph, subject: str) -> None:
    for name, info in graph.inputs.items():
        if info.shape is None or None in info.shape:
            is_image = info.shape is not None and len(info.shape) == 4
            raise ModelError(
                f"{subject}: the input {name} has open dimensions ({shape_text(info)}), the NPU compiler needs fixed "
                f"ones: {OF_IMAGES if is_image else OF_OTHERS}"
            )


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    severities = {finding.severity for finding in findings}
    return "fails" if "fails" in severities else "unknown" if "unknown" in severities else "compiles"


def _largest(cost: GraphCost) -> tuple[str, float]:
    largest = cost.largest
    return ("", 0.0) if largest is None else (largest.node.op, largest.moved / 1e6)


def _compiled(graph: Graph, subject: str, chip: NpuChip, npu: str) -> Report:
    """A file of the compiler: does all of it run on the NPU?"""
    findings = tuple(
        Finding(
            "risk",
            "cpu fallback",
            node.name,
            f"{node.op} runs on the CPU of the board, and tensors travel there and back",
            "replace the operator and compile again",
        )
        for node in graph.nodes
        if node.op != COMPILED_OP
    )
    return Report(subject, chip.name, npu, "compiles", findings, chip.source)


def with_target(report: Report, model: CompiledModel, chip: NpuChip, npu: str) -> Report:
    """The report of a compiled file, which also fails where the file is for another chip or for more cores."""
    found = []
    if model.chip != chip.name:
        found.append(f"it is compiled for {model.chip}, not for {chip.name}")
    elif model.kind > chip.npu_modes.index(npu):
        found.append(f"it is compiled for {model.cores}, more than {npu} has")
    findings = tuple(Finding("fails", "target", "file", why, "compile its ONNX again") for why in found)
    return replace(report, verdict="fails" if found else report.verdict, findings=(*findings, *report.findings))
