"""The one loader of registries: tables of name -> "module:attribute", imported when a name is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from roma_device.calibration.errors import RomaError


def load(table: Mapping[str, str], name: str) -> Any:
    """What ``table`` has under ``name``; raises KeyError for a name that it lacks, RomaError for a target that is not
    in its module."""
    module_name, _, attribute = table[name].partition(":")
    module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        raise RomaError(f"{name!r} is {table[name]}, but module {module_name} has no {attribute}")
    return getattr(module, attribute)
