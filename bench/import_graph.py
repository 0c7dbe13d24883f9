"""Import graph of the source by its syntax trees: dependencies between modules and between rooms, and import circles.

A late import is one that loading a module does not run: inside a function or under TYPE_CHECKING. Names in strings such
as "module:Class" are no imports. A room is a folder within a layer; a file that lies in the layer's folder itself is a
room of its own.
"""

from __future__ import annotations

import ast
import configparser
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.tree_counts import FUNCTIONS, is_typing_only

Graph = Mapping[str, set[str]]
IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Module:
    """A source file with the name it is imported by; ``layer`` is the folder at the top that it lies in."""

    name: str
    layer: str
    inside: Path  # relative to the layer's folder
    is_package: bool
    tree: ast.Module
    lines: int

    @property
    def package(self) -> list[str]:
        """Parts of the name that relative imports start from."""
        parts = self.name.split(".")
        return parts if self.is_package else parts[:-1]

    def room(self, depth: int) -> str:
        """The folder it lies in, at most so deep below the layer; its own name where it lies in the layer itself."""
        folders = self.inside.parts[:-1]
        return "/".join(folders[:depth]) if folders else self.inside.stem


def packages(root: Path) -> dict[str, str]:
    """Folder -> package name, as setup.cfg maps them; and the folder of the models, which no wheel has."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    lines = config["options"]["package_dir"].strip().splitlines()
    pairs = [line.replace(" ", "").split("=") for line in lines]
    return {folder: package for package, folder in pairs} | {"model": "model"}


def read_modules(root: Path) -> list[Module]:
    """All modules of the source."""
    return [
        _read(root, folder, package, path)
        for folder, package in packages(root).items()
        for path in source_files(root, folder)
    ]


def source_files(root: Path, folder: str) -> list[Path]:
    """Python files of a layer; of the root itself only those that lie in it directly."""
    return sorted((root / folder).glob("*.py" if folder == "." else "**/*.py"))


def _read(root: Path, layer: str, package: str, path: Path) -> Module:
    inside, text = path.relative_to(root / layer), path.read_text()
    is_package = path.stem == "__init__"
    parts = inside.parent.parts if is_package else inside.with_suffix("").parts
    return Module(".".join([package, *parts]), layer, inside, is_package, ast.parse(text), len(text.splitlines()))


def imports(node: ast.AST, late: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Import statements below a node, each with whether it is late."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, IMPORTS):
            yield child, late
        else:
            yield from imports(child, late or isinstance(child, FUNCTIONS) or is_typing_only(child))


def targets(module: Module, statement: ast.Import | ast.ImportFrom) -> list[str]:
    """Absolute names that a statement imports: of modules, or of what is in them."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    package = module.package
    base = package[: len(package) - statement.level + 1] if statement.level else []
    source = ".".join([*base, *([statement.module] if statement.module else [])])
    return [f"{source}.{alias.name}" for alias in statement.names]


def import_graph(modules: list[Module], late: bool) -> dict[str, set[str]]:
    """Module -> modules of the source that it imports, with or without the late imports."""
    known = {module.name for module in modules}
    graph: dict[str, set[str]] = {}
    for module in modules:
        statements = [statement for statement, is_late in imports(module.tree) if late or not is_late]
        found = {_known(name, known) for statement in statements for name in targets(module, statement)}
        graph[module.name] = {name for name in found if name and name != module.name}
    return graph


def _known(name: str, known: set[str]) -> str:
    """The module that a name is or is in, or nothing."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def reachable(graph: Graph, start: str) -> set[str]:
    """Nodes that arrows lead to from ``start``; itself only by a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def circles(graph: Graph) -> list[list[str]]:
    """Strongly connected components of more than one node."""
    reach = {node: reachable(graph, node) for node in graph}
    groups = {frozenset(other for other in reach[node] if node in reach[other]) for node in graph}
    return sorted(sorted(group) for group in groups if group)


@dataclass(frozen=True)
class Rooms:
    """Rooms of one layer: the arrows between them, each with the imports (from, to) that make it."""

    names: set[str]
    arrows: dict[tuple[str, str], list[tuple[str, str]]]

    def circles(self) -> list[list[str]]:
        """Groups of rooms that depend on each other both ways."""
        return circles({name: {end for start, end in self.arrows if start == name} for name in self.names})

    def within(self, group: list[str]) -> dict[str, list[str]]:
        """Arrows inside a group of rooms, as texts, with the modules behind each."""
        return {
            f"{start} -> {end}": [f"{one} -> {other}" for one, other in behind]
            for (start, end), behind in sorted(self.arrows.items())
            if start in group and end in group
        }


def rooms(modules: list[Module], graph: Graph, layer: str, depth: int) -> Rooms:
    """Rooms of a layer by a graph of its modules; an ``__init__`` of the layer without imports is none."""
    own = {module.name: module.room(depth) for module in modules if module.layer == layer}
    arrows: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, ends in graph.items():
        for end in sorted(ends):
            if name in own and end in own and own[name] != own[end]:
                arrows[own[name], own[end]].append((name, end))
    used = {room for arrow in arrows for room in arrow}
    return Rooms({room for room in own.values() if room != "__init__" or room in used}, dict(arrows))


def layer_arrows(modules: list[Module], graph: Graph) -> dict[str, int]:
    """Number of imports from layer to layer."""
    layers = {module.name: module.layer for module in modules}
    counts: defaultdict[str, int] = defaultdict(int)
    for name, ends in graph.items():
        for end in ends:
            if layers[name] != layers[end]:
                counts[f"{layers[name]} -> {layers[end]}"] += 1
    return dict(sorted(counts.items()))
