"""Size metrics of source files by their syntax trees: lines, functions, docstrings, comments, annotations."""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)
LONG_FUNCTION, MANY_PARAMETERS = 40, 6


def p90(values: Sequence[int]) -> int:
    """90th percentile, by the nearest rank above."""
    return sorted(values)[int(0.9 * len(values))]


def median(values: Sequence[int]) -> int:
    """Median, a half rounded to the even number."""
    return round(statistics.median(values))


def percent(part: float, whole: float, digits: int = 0) -> float:
    """Share in percent; 0 of nothing."""
    return round(100 * part / whole, digits) if whole else 0.0


def length(node: ast.stmt) -> int:
    """Lines of a statement; decorators are not counted."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def docstring_lines(tree: ast.Module) -> int:
    """Lines of the docstrings of a module and all its classes and functions."""
    holders = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
    return sum(length(node.body[0]) for node in holders if ast.get_docstring(node) is not None)


def comment_lines(text: str) -> int:
    """Lines with a comment, alone or after code."""
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def parameters(function: Function) -> int:
    """Number of parameters, without ``self`` and ``cls``."""
    arguments = function.args
    places = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    bound = places[:1] in (["self"], ["cls"])
    return len(places) - bound + len(arguments.kwonlyargs) + bool(arguments.vararg) + bool(arguments.kwarg)


def is_typing_only(node: ast.AST) -> bool:
    """Is it the block of imports for the type checker?"""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def first_line(node: ast.stmt) -> int:
    """Line of a statement, or of its first decorator."""
    decorators = node.decorator_list if isinstance(node, (ast.ClassDef, *FUNCTIONS)) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def header_lines(tree: ast.Module, lines: int) -> int:
    """Lines of docstring and imports before the first other statement; the whole file where there is none."""
    for index, node in enumerate(tree.body):
        is_docstring = index == 0 and ast.get_docstring(tree) is not None
        if not (is_docstring or is_typing_only(node) or isinstance(node, (ast.Import, ast.ImportFrom))):
            return first_line(node) - 1
    return lines


class Counts:
    """What is counted in a set of files."""

    def __init__(self, root: Path, paths: list[Path]) -> None:
        self.texts = {path: path.read_text() for path in paths}
        self.trees = {path: ast.parse(text) for path, text in self.texts.items()}
        self.lines = [len(text.splitlines()) for text in self.texts.values()]
        self.functions = [node for node in self._nodes() if isinstance(node, FUNCTIONS)]
        self.classes = [node for node in self._nodes() if isinstance(node, ast.ClassDef)]
        self.folders = Counter(str(path.parent.relative_to(root)) for path in paths)

    def _nodes(self) -> Iterator[ast.AST]:
        return (node for tree in self.trees.values() for node in ast.walk(tree))

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        return {**self._sizes(), **self._shares(), **self._folders()}

    def _sizes(self) -> dict[str, Any]:
        lengths = [length(one) for one in self.functions]
        counts = [parameters(one) for one in self.functions]
        return {
            "files": len(self.lines),
            "lines": sum(self.lines),
            "lines_per_file": {"median": median(self.lines), "p90": p90(self.lines), "max": max(self.lines)},
            "lines_per_function": {"median": median(lengths), "p90": p90(lengths), "max": max(lengths)},
            "functions": len(lengths),
            "functions_over_40": sum(one > LONG_FUNCTION for one in lengths),
            "parameters_p90": p90(counts),
            "parameters_over_6": sum(one > MANY_PARAMETERS for one in counts),
            "longest_class": max((length(one) for one in self.classes), default=0),
        }

    def _shares(self) -> dict[str, Any]:
        total = sum(self.lines)
        public = [one for one in (*self.functions, *self.classes) if not one.name.startswith("_")]
        return {
            "docstring_percent": percent(sum(map(docstring_lines, self.trees.values())), total),
            "comment_percent": percent(sum(map(comment_lines, self.texts.values())), total, 1),
            "public_documented_percent": percent(sum(bool(ast.get_docstring(one)) for one in public), len(public)),
            "returns_annotated_percent": percent(sum(bool(one.returns) for one in self.functions), len(self.functions)),
        }

    def _folders(self) -> dict[str, Any]:
        counts = list(self.folders.values())
        return {
            "files_per_folder": {"median": median(counts), "max": max(counts)},
            "fullest_folders": dict(self.folders.most_common(3)),
            "files_under_32_lines": sum(
                lines < 32 for path, lines in zip(self.texts, self.lines, strict=True) if path.stem != "__init__"
            ),
        }
