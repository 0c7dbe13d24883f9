"""Structure of the source in figures: size metrics per layer, and the import graph of modules and rooms.

    python -m bench.structure [--json] [--root FOLDER] [--depth 1]

Everything is counted over the syntax trees; nothing is imported. Rooms are folders, ``--depth`` levels of them; circles
among modules are told without and with late imports (in functions, or for the type checker), those among rooms with.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from bench.import_graph import (
    Graph,
    Module,
    Rooms,
    circles,
    import_graph,
    layer_arrows,
    packages,
    read_modules,
    rooms,
    source_files,
)
from bench.tree_counts import Counts, header_lines, percent

NOT_COUNTED = {"configs"}
"""Layers that hold data: modules of the graph, but no row of the table."""
COLUMNS = (
    "layer",
    "files",
    "lines/file med/p90/max",
    "lines/function (no. > 40)",
    "docstring %",
    "comment %",
    "public documented %",
    "returns annotated %",
    "params p90/no. > 6",
    "longest class",
    "files/folder med/max",
    "lines",
)


def table_layers(root: Path) -> list[str]:
    """Folders that get a row: the layers of the source, and the tests."""
    folders = [folder for folder in (*packages(root), "tests") if folder not in NOT_COUNTED]
    return [folder for folder in folders if source_files(root, folder)]


def most(counts: dict[str, int]) -> dict[str, Any]:
    """The greatest count and the names that have it."""
    greatest = max(counts.values())
    return {"count": greatest, "modules": sorted(name for name, count in counts.items() if count == greatest)}


def graph_figures(modules: list[Module], late: Graph) -> dict[str, Any]:
    """Figures of the graph of modules; ``late`` is the one with late imports."""
    graph = import_graph(modules, late=False)
    out = {name: len(ends) for name, ends in graph.items()}
    header = sum(header_lines(module.tree, module.lines) for module in modules)
    return {
        "modules": len(modules),
        "imports": sum(out.values()),
        "mean_out": round(statistics.mean(out.values()), 2),
        "most_out": most(out),
        "most_in": most(Counter(end for ends in graph.values() for end in ends)),
        "circles": circles(graph),
        "circles_with_late": circles(late),
        "header_lines": header,
        "header_percent": percent(header, sum(module.lines for module in modules), 1),
        "layer_arrows": layer_arrows(modules, late),
    }


def room_figures(found: Rooms) -> dict[str, Any]:
    """Figures of one layer's rooms; for each circle the arrows in it, with the imports behind them."""
    groups = [{"rooms": group, "arrows": found.within(group)} for group in found.circles()]
    return {"rooms": len(found.names), "arrows": len(found.arrows), "names": sorted(found.names), "circles": groups}


def structure(root: Path, depth: int) -> dict[str, Any]:
    """All figures of a tree."""
    modules, layers = read_modules(root), table_layers(root)
    graph = import_graph(modules, late=True)
    counts = {layer: Counts(root, source_files(root, layer)).as_json() for layer in layers}
    return {
        "layers": counts,
        "source_lines": sum(counts[layer]["lines"] for layer in layers if layer != "tests"),
        "graph": graph_figures(modules, graph),
        "rooms": {layer: room_figures(rooms(modules, graph, layer, depth)) for layer in layers if layer != "tests"},
    }


def row(layer: str, figures: dict[str, Any]) -> list[str]:
    """A layer's row of the table."""
    files, functions = figures["lines_per_file"], figures["lines_per_function"]
    names = ("docstring", "comment", "public_documented", "returns_annotated")
    return [
        layer,
        str(figures["files"]),
        "/".join(str(value) for value in files.values()),
        "/".join(str(value) for value in functions.values()) + f" ({figures['functions_over_40']})",
        *(f"{figures[f'{name}_percent']:g}" for name in names),
        f"{figures['parameters_p90']}/{figures['parameters_over_6']}",
        str(figures["longest_class"]),
        "/".join(str(value) for value in figures["files_per_folder"].values()),
        str(figures["lines"]),
    ]


def graph_text(graph: dict[str, Any]) -> list[str]:
    """Lines about the graph of modules."""
    ends = {name: f"{graph[name]['count']} {', '.join(graph[name]['modules'])}" for name in ("most_out", "most_in")}
    return [
        f"modules {graph['modules']}, imports {graph['imports']}, mean out {graph['mean_out']:.1f}",
        f"most out {ends['most_out']}; most in {ends['most_in']}",
        *(f"circle: {' '.join(group)}" for group in graph["circles"]),
        *(f"circle with late imports: {' '.join(group)}" for group in graph["circles_with_late"]),
        f"circles {len(graph['circles'])}, with late imports {len(graph['circles_with_late'])}",
        f"header lines {graph['header_lines']} ({graph['header_percent']} %)",
        "between layers: " + ", ".join(f"{arrow} {count}" for arrow, count in graph["layer_arrows"].items()),
    ]


def rooms_text(layer: str, figures: dict[str, Any]) -> list[str]:
    """Lines about a layer's rooms; of the imports behind an arrow the first is shown."""
    lines = [f"rooms of {layer}: {figures['rooms']}, arrows {figures['arrows']}, circles {len(figures['circles'])}"]
    for circle in figures["circles"]:
        lines.append(f"  circle of rooms: {' '.join(circle['rooms'])}")
        lines += [f"    {arrow}: {len(why)}, as {why[0]}" for arrow, why in circle["arrows"].items()]
    return lines


def text(figures: dict[str, Any]) -> str:
    """The report as Markdown's table and lines below it."""
    layers = figures["layers"]
    table = [list(COLUMNS), ["---"] * len(COLUMNS), *(row(name, one) for name, one in layers.items())]
    small = sum(one["files_under_32_lines"] for name, one in layers.items() if name != "tests")
    full = [f"{folder} {count}" for one in layers.values() for folder, count in one["fullest_folders"].items()]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    lines += ["", f"source lines {figures['source_lines']}, files under 32 lines {small}"]
    lines += [f"fullest folders: {', '.join(full)}", "", *graph_text(figures["graph"]), ""]
    for layer, found in figures["rooms"].items():
        lines += rooms_text(layer, found)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="JSON to stdout")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the tree to count")
    parser.add_argument("--depth", type=int, default=1, help="levels of folders that are rooms of their own")
    options = parser.parse_args()
    figures = structure(options.root, options.depth)
    print(json.dumps(figures, indent=1) if options.json else text(figures))


if __name__ == "__main__":
    main()
