"""``roma-device model check``: preflight of a bundle or a bare file for a chip's compiler."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from roma_device.app.model_store import find_model
from roma_device.calibration.size import Size
from roma_device.calibration.storage.text_file import read_bytes
from roma_device.runtime.card import CARD_NAME, ModelError
from roma_device.runtime.preflight.npu_chip import NpuChip, load_chip
from roma_device.runtime.preflight.npu_latency import load_latency_law
from roma_device.runtime.preflight.report import Report, check_graph, check_mode, read_graph

LISTS = Path(str(files("roma_device.configs"))) / "npu"
_OTHERS = ("latency", "measured")
"""Files in that folder that describe no chip."""


def known_chips() -> dict[str, Path]:
    """Name -> file of its operator list."""
    return {path.stem.upper(): path for path in sorted(LISTS.glob("*.yaml")) if path.stem not in _OTHERS}


def find_chip(name: str) -> NpuChip:
    """Raises ModelError for a chip without a list."""
    chips = known_chips()
    if name.upper() not in chips:
        raise ModelError(f"unknown chip {name!r}; known: {', '.join(chips)}", exit_code=os.EX_USAGE)
    return load_chip(chips[name.upper()])


def check_model(model: str, chip_name: str, npu: str | None, size: Size | None) -> Report:
    """``model`` is a bundle folder, the name of a bundled model, or an ONNX or axmodel file.

    A bundle of open size is checked at its default size unless ``size`` says otherwise.
    """
    chip = find_chip(chip_name)
    mode = npu or chip.npu_modes[0]
    check_mode(chip, mode)
    path, data, default_size = _read(model)
    graph = read_graph(path, data, size or default_size)
    return check_graph(graph, model, chip, mode, load_latency_law(LISTS / "latency.yaml"))


def _read(model: str) -> tuple[Path, bytes, Size | None]:
    path = Path(model)
    if path.is_file():
        return path, read_bytes(path, error=ModelError), None
    card = find_model(model)
    for kind in ("onnx", "axmodel"):
        if kind in card.files:
            return card.files[kind].path, card.files[kind].read(), card.default_size
    raise ModelError(f"{path / CARD_NAME}: the bundle names neither an onnx nor an axmodel file")
