"""``roma-device model check``: preflight of a bundle or a bare file for a chip's compiler."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.files import read_bytes
from roma_device.runtime.card import CARD_NAME, ModelCard, ModelError
from roma_device.runtime.onnx.axmodel import is_compiled, is_encrypted, read_axmodel
from roma_device.runtime.preflight.combined import Part, combined
from roma_device.runtime.preflight.graph_cost import load_latency_law
from roma_device.runtime.preflight.npu_chip import NpuChip, load_chip
from roma_device.runtime.preflight.report import Report, check_graph, check_mode, read_graph, with_target
from roma_device.runtime.preflight.sized import sized_graph

LISTS = Path(str(files("roma_device.configs"))) / "npu"
_OTHERS = ("latency", "measured")
"""Files in that folder that describe no chip."""


def known_chips() -> dict[str, Path]:
    """Name -> file of its operator list."""
    return {path.stem.upper(): path for path in sorted(LISTS.glob("*.yaml")) if path.stem not in _OTHERS}


def find_chip(name: str) -> NpuChip:
    """By its own name or one under which it is sold; raises ModelError for a chip without a list."""
    chips = [load_chip(path) for path in known_chips().values()]
    for chip in chips:
        if name.upper() in (chip.name, *chip.same_silicon):
            return chip
    known = ", ".join(
        f"{chip.name} ({', '.join(chip.same_silicon)})" if chip.same_silicon else chip.name for chip in chips
    )
    raise ModelError(f"unknown chip {name!r}; known: {known}", exit_code=os.EX_USAGE)


def check_model(model: str, chip_name: str, npu: str | None, size: Size | None) -> Report:
    """``model`` is a bundle folder, the name of a bundled model, or an ONNX or axmodel file.

    A bundle of open size is checked at its default size unless ``size`` says otherwise.
    """
    chip = find_chip(chip_name)
    mode = npu or chip.npu_modes[0]
    check_mode(chip, mode)
    path = Path(model)
    if path.is_file():
        return _check_file(path, read_bytes(path, error=ModelError), None, model, chip, mode, size)
    card = find_model(model)
    runs = [1, *(stage.passes for stage in card.stages[1:])]
    reports = [_check_of_bundle(path, graph, card.default_size, chip, mode, size) for graph in card.graphs]
    if not card.stages:
        return replace(reports[0], subject=model)
    return combined(model, list(map(Part, (stage.name for stage in card.stages), runs, reports)))


def _check_of_bundle(
    bundle: Path, graph: ModelCard, default_size: Size, chip: NpuChip, mode: str, size: Size | None
) -> Report:
    for kind in ("onnx", "axmodel"):
        if kind in graph.files:
            file = graph.files[kind]
            return _check_file(file.path, file.read(), default_size, graph.name, chip, mode, size)
    raise ModelError(f"{bundle / CARD_NAME}: the bundle names neither an onnx nor an axmodel file of {graph.name}")


def _check_file(
    path: Path, data: bytes, default_size: Size | None, subject: str, chip: NpuChip, mode: str, size: Size | None
) -> Report:
    if is_encrypted(data):
        read_axmodel(data, path)  # says so
    law = load_latency_law(LISTS / "latency.yaml")
    if size is None and default_size is not None:
        report = check_graph(graph := read_graph(path, data, default_size), subject, chip, mode, law)
    else:
        graph, notes = sized_graph(path, data, size)
        report = replace(check_graph(graph, subject, chip, mode, law), notes=notes)
    return with_target(report, read_axmodel(data, path), chip, mode) if is_compiled(graph) else report
