"""Operators and limits of a chip's compiler, read from ``configs/npu/CHIP.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.yaml_section import Section, read_section
from roma_device.runtime.card import ModelError


@dataclass(frozen=True, slots=True)
class NpuChip:
    """The compiler's list of operators, and limits that its messages told of."""

    name: str
    same_silicon: tuple[str, ...]  # names under which it is sold too
    source: str  # where the lists come from, with version
    npu_modes: tuple[str, ...]
    least_opset: int
    operators: frozenset[str]
    attributes: Mapping[str, Mapping[str, tuple[str, ...]]]  # operator -> attribute -> what is supported
    cast_to: frozenset[str]
    memory: Mapping[str, float]  # operator -> bytes that one job may take
    compiled_sizes: frozenset[Size]  # with batch statistics, width and height
    failed_sizes: frozenset[Size]


def load_chip(path: Path) -> NpuChip:
    """Raises ModelError with file, line and key at fault."""
    top = read_section(path, "operator list", ModelError)
    attributes = top.section("attributes")
    chip = NpuChip(
        top.text("chip"),
        top.texts("same_silicon") if "same_silicon" in top.untaken() else (),
        top.text("source"),
        top.texts("npu_modes"),
        int(top.number("least_opset")),
        frozenset(top.texts("operators")),
        {operator: _limits(attributes.section(operator)) for operator in attributes.untaken()},
        frozenset(top.texts("cast_to")),
        top.section("memory").rest() if "memory" in top.untaken() else {},
        *_sizes(top),
    )
    top.finish()
    return chip


def _limits(section: Section) -> dict[str, tuple[str, ...]]:
    return {attribute: section.texts(attribute) for attribute in section.untaken()}


def _sizes(top: Section) -> tuple[frozenset[Size], frozenset[Size]]:
    if "batch_statistics" not in top.untaken():
        return frozenset(), frozenset()
    section = top.section("batch_statistics")
    compiled, failed = (_pairs(section.numbers(key)) for key in ("compiled", "failed"))
    section.finish()
    return compiled, failed


def _pairs(numbers: list[float]) -> frozenset[Size]:
    """Width, height, width, height, ..."""
    whole = [int(number) for number in numbers]
    return frozenset(map(Size, whole[::2], whole[1::2]))
