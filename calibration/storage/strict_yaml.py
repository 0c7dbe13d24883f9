"""Strict YAML: equal keys, keys that are no text and endless aliases are errors with a line."""

from __future__ import annotations

import yaml

_KEY_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


class YamlError(Exception):
    """Text that is no YAML of ours; ``line`` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def compose(text: str) -> yaml.Node | None:
    """The tree of the one document in ``text``, None where it is empty; raises YamlError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _check(root, ())
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


def _check(node: yaml.Node, above: tuple[yaml.Node, ...]) -> None:
    if node in above:
        raise YamlError("an alias stands inside what it names", line_of(node))
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        for _, value in node.value:
            _check(value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check(value, (*above, node))


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
