"""Schema-checked reading of YAML mappings, key by key: every error names its file, line and key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from roma_device.calibration.errors import RomaError

from .files import read_text
from .strict_yaml import YamlError, compose, line_of


def read_section(path: Path, what: str, error: type[RomaError]) -> Section:
    """The top level of the YAML file ``path``; ``what`` names its kind in messages.

    Raises ``error``; its exit code tells data that is wrong from a file that is missing or closed to
    this user.
    """
    return parse_section(read_text(path, what, error), path, error)


def parse_section(text: str, path: Path, error: type[RomaError]) -> Section:
    """The top level of ``text``; ``path`` is for messages alone. Raises ``error``."""
    try:
        root = compose(text)
    except YamlError as reason:
        raise error(f"{path}:{reason.line}: {reason}") from reason
    if root is None:
        raise error(f"{path} is empty")
    return Section(root, path, "", error)


def dump_yaml(document: Mapping[str, Any]) -> str:
    """``document`` in its own order, each list of numbers in one line; ASCII."""
    return str(yaml.safe_dump(dict(document), sort_keys=False, default_flow_style=None, width=1000))


class Section:
    """One mapping; each key is taken once, and ``finish`` complains of those that nobody took.

    Every method raises the error that it was made with. Numbers may be written as 1e-05, which YAML
    1.1 would take for text. Where a default is given, the key may be missing.
    """

    def __init__(self, node: yaml.Node, path: Path, name: str, error: type[RomaError]) -> None:
        self._path, self._name, self._error = path, name, error
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, name, "takes keys and values")
        self._node = node
        self._left: dict[str, yaml.Node] = {str(key.value): value for key, value in node.value}

    def untaken(self) -> list[str]:
        """The keys that nobody took yet."""
        return list(self._left)

    def is_mapping(self, key: str) -> bool:
        """Whether ``key`` is there and holds a mapping."""
        return isinstance(self._left.get(key), yaml.MappingNode)

    def is_list(self, key: str) -> bool:
        """Whether ``key`` is there and holds a list."""
        return isinstance(self._left.get(key), yaml.SequenceNode)

    def mistake(self, key: str, what: str) -> RomaError:
        """The error for a value of ``key`` that only its reader can judge; to be raised, before or after it is read."""
        return self._error(f"{self._path}:{line_of(self._left.get(key, self._node))}: {self._full(key)} {what}")

    def text(self, key: str, default: str | None = None) -> str:
        """A scalar as it is written: quotes are not needed around dates and serial numbers."""
        if default is not None and key not in self._left:
            return default
        node = self._take(key)
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, self._full(key), "must be a text")
        return str(node.value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of scalars as they are written."""
        name = self._full(key)
        items = self._items(self._take(key), name, None)
        for item in items:
            if not isinstance(item, yaml.ScalarNode):
                self._fail(item, name, "must be a list of texts")
        return tuple(str(item.value) for item in items)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """A text that is one of ``allowed``."""
        node = self._left.get(key, self._node)
        value = self.text(key)
        if value not in allowed:
            self._fail(node, self._full(key), f"is {value!r}: it must be one of {', '.join(allowed)}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        if default is not None and key not in self._left:
            return default
        return self._number(self._take(key), self._full(key))

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A list of ``count`` numbers, of any length without it."""
        return self._numbers(self._take(key), self._full(key), count)

    def matrix(self, key: str, rows: int, columns: int) -> list[list[float]]:
        """A list of ``rows`` lists of ``columns`` numbers each."""
        name = self._full(key)
        return [self._numbers(row, name, columns) for row in self._items(self._take(key), name, rows)]

    def section(self, key: str) -> Section:
        return Section(self._take(key), self._path, self._full(key), self._error)

    def sections(self, key: str) -> list[Section]:
        """A list of mappings."""
        name = self._full(key)
        items = enumerate(self._items(self._take(key), name, None))
        return [Section(item, self._path, f"{name}[{index}]", self._error) for index, item in items]

    def rest(self) -> dict[str, float]:
        """All keys that are left, each with a number."""
        return {key: self.number(key) for key in list(self._left)}

    def rest_texts(self) -> dict[str, str]:
        """All keys that are left, each with a text."""
        return {key: self.text(key) for key in list(self._left)}

    def finish(self) -> None:
        for key, node in self._left.items():
            self._fail(node, self._full(key), "is not a key of this format")

    def _take(self, key: str) -> yaml.Node:
        if key not in self._left:
            self._fail(self._node, self._full(key), "is missing")
        return self._left.pop(key)

    def _numbers(self, node: yaml.Node, name: str, count: int | None) -> list[float]:
        return [self._number(item, name) for item in self._items(node, name, count)]

    def _items(self, node: yaml.Node, name: str, count: int | None) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, name, "must be a list")
        if count is not None and len(node.value) != count:
            self._fail(node, name, f"must have {count} entries, not {len(node.value)}")
        return list(node.value)

    def _number(self, node: yaml.Node, name: str) -> float:
        try:
            if not isinstance(node, yaml.ScalarNode) or node.style is not None:
                raise ValueError
            number = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._fail(node, name, "must be a number")
        if not math.isfinite(number):
            self._fail(node, name, f"is {node.value}: it must be finite")
        return number

    def _full(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _fail(self, node: yaml.Node, name: str, what: str) -> NoReturn:
        subject = name or "the file"
        raise self._error(f"{self._path}:{line_of(node)}: {subject} {what}")
