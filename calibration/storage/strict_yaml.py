"""Strict YAML: equal keys, keys that are no text, too many values and endless aliases are errors with a line."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import yaml

_KEY_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}

MOST_CHARACTERS, MOST_VALUES = 1 << 20, 50_000
SHORT_CHARACTERS, SHALLOW = 1 << 14, 50

_HEADER = re.compile(r"\A%YAML[: ][\d.]+[ \t]*$", re.MULTILINE)


class YamlError(Exception):
    """Text that is no YAML of ours; ``line`` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def compose(text: str) -> yaml.Node | None:
    """The tree of the one document in ``text``, None where it is empty; raises YamlError.

    A first line ``%YAML:1.0``, which OpenCV and programs that read with it want, is no YAML and means nothing.
    """
    if len(text) > MOST_CHARACTERS:
        raise YamlError(f"it is {len(text)} characters long: {MOST_CHARACTERS} are the most", 1)
    try:
        root = yaml.compose(_HEADER.sub("#", text), Loader=_loader_for(text))
        if root is not None:
            _check(root, (), {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(f"not valid YAML: {what}", mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"character {error.character:#x} is not allowed", line) from None
    except RecursionError:
        raise YamlError("nested too deeply", 1) from None
    return root


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _loader_for(text: str) -> Any:
    """The one in Python tells more of mistakes; for long or deep texts the one in C, which is ten times as fast."""
    is_easy = len(text) <= SHORT_CHARACTERS and _depth(text) <= SHALLOW
    return yaml.SafeLoader if is_easy else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _depth(text: str) -> int:
    """Brackets that are open at once, at most."""
    return max(accumulate(1 if mark in "[{" else -1 for mark in re.findall(r"[\[\]{}]", text)), default=0)


def _check(node: yaml.Node, above: tuple[yaml.Node, ...], counts: dict[yaml.Node, int]) -> int:
    """Values that ``node`` stands for with all of its aliases; each node is looked at once.

    Ten aliases of ten aliases of ten... are few bytes and more values than memory holds.
    """
    if node in above:
        raise YamlError("an alias stands inside what it names", line_of(node))
    if node not in counts:
        counts[node] = 1 + sum(_check(value, (*above, node), counts) for value in _children(node))
        if counts[node] > MOST_VALUES:
            raise YamlError(f"it stands for more than {MOST_VALUES} values", line_of(node))
    return counts[node]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.MappingNode) -> None:
    """PyYAML takes the last of equal keys without a word, and reads ``on`` as the key True."""
    first: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag not in _KEY_TAGS:
            shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise YamlError(f"{shown}: a key must be a text", line_of(key))
        if key.value in first:
            raise YamlError(f"{key.value}: the key stands there twice, first in line {first[key.value]}", line_of(key))
        first[key.value] = line_of(key)
