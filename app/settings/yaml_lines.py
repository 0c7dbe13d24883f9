"""YAML as plain values with the line of every key, so that a message can point at the mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from roma_device.calibration.storage.strict_yaml import YamlError, compose, line_of

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document: its plain values, and where each key or list element stands."""

    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)  # ("depth", "min_m") -> 7

    def line_of(self, path: KeyPath) -> int:
        """Line of the key, or of the nearest one above it that is in the text; 1 for the whole."""
        return next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)


_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[0-9_.]*:[0-9:_.]*)")


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As in PyYAML, but a date that does not exist (2024-13-01) has a line too."""
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBER_TAGS and _ODD_NUMBER.fullmatch(node.value):
            raise YamlError(f"{node.value} is no plain number: YAML takes it for one of base 8 or 60", line_of(node))
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise YamlError(str(error), line_of(node)) from None


def parse_yaml(text: str) -> YamlDocument:
    """Parse one document; raises YamlError."""
    root = compose(text)
    if root is None:
        return YamlDocument(None)
    try:
        return YamlDocument(_Loader("").construct_document(root), dict(_lines(root)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(error.problem or "not valid YAML", line) from None


def _lines(node: yaml.Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(number, value, value) for number, value in enumerate(node.value)]
    else:
        return
    for key, marked, value in children:
        yield (*path, key), line_of(marked)
        yield from _lines(value, (*path, key))
