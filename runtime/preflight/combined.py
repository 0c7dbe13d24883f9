"""Preflight of a model of several graphs: one report for all that runs for a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .graph_cost import LatencyEstimate
from .report import Report, Verdict

ORDER: tuple[Verdict, ...] = ("compiles", "unknown", "fails")


@dataclass(frozen=True, slots=True)
class Part:
    """One graph, and how often it runs for a pair."""

    name: str
    runs: int
    report: Report


def combined(subject: str, parts: Sequence[Part]) -> Report:
    """The worst verdict, all findings with their graph's name, and costs that add up over all runs."""
    first = parts[0].report
    findings = tuple(
        replace(finding, node=f"{part.name}/{finding.node}") for part in parts for finding in part.report.findings
    )
    largest = max(parts, key=lambda part: part.report.largest_mb or 0).report
    return Report(
        subject,
        first.chip,
        first.npu,
        max((part.report.verdict for part in parts), key=ORDER.index),
        findings,
        first.source,
        _total([part.report.gmac for part in parts], parts),
        _total([part.report.moved_mb for part in parts], parts),
        largest.largest_operator,
        largest.largest_mb,
        _latency(parts),
        first.measured_median_error,
        tuple(_note(part) for part in parts),
    )


def _total(values: Sequence[float | None], parts: Sequence[Part]) -> float | None:
    """Over all runs; None where it is not known of a part."""
    known = [value * part.runs for value, part in zip(values, parts, strict=True) if value is not None]
    return sum(known) if len(known) == len(parts) else None


def _latency(parts: Sequence[Part]) -> LatencyEstimate | None:
    """Of the NPU alone: what the host does between the runs comes on top."""
    found = [(part.runs, part.report.latency) for part in parts if part.report.latency is not None]
    if len(found) < len(parts):
        return None
    ms = sum(runs * one.ms for runs, one in found)
    return LatencyEstimate(ms, max(one.relative_error for _, one in found), any(one.lower_bound for _, one in found))


def _note(part: Part) -> str:
    cost = "" if part.report.gmac is None else f"{part.report.gmac:.2f} GMAC, "
    notes = "".join(f"; {note}" for note in part.report.notes)
    return f"{part.name}: {cost}runs {'once' if part.runs == 1 else f'{part.runs} times'} for a pair{notes}"
