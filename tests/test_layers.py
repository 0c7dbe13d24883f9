"""Imports run strictly downward: calibration < runtime < app; the device never sees model or torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "calibration": {"roma_device.calibration"},
    "runtime": {"roma_device.calibration", "roma_device.runtime"},
    "app": {"roma_device.calibration", "roma_device.runtime", "roma_device.app"},
    "api": {"roma_device"},
    "model": {
        "roma_device.calibration.errors",
        "roma_device.calibration.arrays",
        "roma_device.calibration.storage.files",
        "roma_device.app.workers.results",  # who does many tasks at once, whatever they are
        *(
            f"roma_device.runtime.{part}"
            for part in ("card", "cascade", "engine", "onnx", "preflight", "tensors.cells", "tensors.preprocess")
        ),
    },
}
FORBIDDEN_ON_DEVICE = {"torch", "model", "tests", "onnx"}
SOURCES = [(layer, path) for layer in ALLOWED for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """Absolute names of the modules that a file imports anywhere in it."""
    package = ["roma_device", *(part for part in path.relative_to(ROOT).parent.parts if part != "api")]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *([node.module] if node.module else [])])


def within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize(("layer", "path"), SOURCES, ids=[str(p.relative_to(ROOT)) for _, p in SOURCES])
def test_imports_point_downward(layer: str, path: Path) -> None:
    names = list(imported(path))
    ours = [name for name in names if name.startswith("roma_device.") and layer != "model"]
    ours += [
        name
        for name in names
        if name.startswith("roma_device.") and layer == "model" and not name.startswith("roma_device.model")
    ]
    assert [name for name in ours if not within(name, ALLOWED[layer])] == []
    if layer != "model":
        assert [name for name in names if within(name, FORBIDDEN_ON_DEVICE)] == []
