"""Variants of the networks: one YAML file each in ``model/variants``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from roma_device.runtime.card import ModelError

VARIANTS = Path(__file__).parents[1] / "variants"


def variants(kind: str) -> list[str]:
    """Names of the files in ``variants/`` that describe a network of this kind."""
    return sorted(path.stem for path in VARIANTS.glob("*.yaml") if f"kind: {kind}\n" in path.read_text())


def variant_values(variant: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """What the file of ``variant`` gives for each of ``keys``; raises ModelError for one too many or too few."""
    path = VARIANTS / f"{variant}.yaml"
    raw: Mapping[str, Any] = yaml.safe_load(path.read_text())
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items() if key != "kind"}
    if unknown := set(values) - set(keys):
        raise ModelError(f"{path}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(keys)}")
    if missing := [name for name in keys if name not in values]:
        raise ModelError(f"{path}: {missing[0]} is missing")
    return values
