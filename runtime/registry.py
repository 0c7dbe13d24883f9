"""The one loader of registries: tables of name -> "module:attribute", imported when a name is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def load(table: Mapping[str, str], name: str) -> Any:
    """What ``table`` has under ``name``; raises KeyError for a name that it lacks."""
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
