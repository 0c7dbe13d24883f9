"""The source lies in rooms: few files each, and no circle of imports, neither of files nor of rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("app", "calibration", "runtime", "model")
MOST_FILES = {"app": 20, "calibration": 20, "runtime": 20, "model": 20, "bench": 20, "tests": 25}

Graph = dict[Path, set[Path]]


def folders(layer: str) -> list[Path]:
    return [ROOT / layer, *(path for path in sorted((ROOT / layer).rglob("*")) if path.is_dir())]


@pytest.mark.parametrize("layer", MOST_FILES)
def test_no_folder_holds_more_files_than_a_reader_takes_in(layer: str) -> None:
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders(layer)}
    assert {name: count for name, count in counts.items() if count > MOST_FILES[layer]} == {}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "model" else ("roma_device", *parts))


def imported(path: Path, files: Mapping[str, Path]) -> Iterator[Path]:
    """Files that ``path`` imports, wherever in it the statement stands."""
    package = dotted(path.parent / "__init__.py").split(".")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (files.get(name, files.get(module, path)) for name in names)
        elif isinstance(node, ast.Import):
            yield from (files[alias.name] for alias in node.names if alias.name in files)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Of all files of the layers."""
    files = {dotted(path): path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))}
    return {path: set(imported(path, files)) - {path} for path in files.values()}


def circle(graph: Mapping[Path, set[Path]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(path.relative_to(ROOT)) for path in error.args[1]]
    return []


def test_no_circle_of_imports_not_even_of_those_on_use(graph: Graph) -> None:
    assert circle(graph) == []


def test_what_lies_side_by_side_in_a_folder_forms_no_circle(graph: Graph) -> None:
    """A folder counts as one, with all that lies in it."""
    for folder in (path for layer in LAYERS for path in folders(layer)):
        inside = {path: folder / path.relative_to(folder).parts[0] for path in graph if folder in path.parents}
        rooms: Graph = {room: set() for room in inside.values()}
        for path, room in inside.items():
            rooms[room] |= {inside[other] for other in graph[path] if other in inside} - {room}
        assert circle(rooms) == []
