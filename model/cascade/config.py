"""What a variant of the cascade consists of: read from ``model/variants/NAME.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from model.network import VARIANTS, variants
from roma_device.runtime.card import ModelError

KIND = "cascade"


@dataclass(frozen=True, slots=True)
class CascadeConfig:
    """Widths of the network."""

    feature_widths: tuple[int, ...]  # at 1/2, 1/4, 1/8, 1/16, 1/32
    match_width: int  # channels in which all cells are compared, at 1/16
    window_widths: tuple[int, ...]  # channels that are compared within windows, at 1/16, 1/8, 1/4
    refine_widths: tuple[int, ...]  # of the refinements, at 1/16, 1/8, 1/4
    reach: int  # cells that a window extends to each side
    last_passes: int  # of the refinement at 1/4, which shares its weights

    @classmethod
    def load(cls, variant: str) -> CascadeConfig:
        """Read the variant ``variant``; raises ModelError with file and key."""
        path = VARIANTS / f"{variant}.yaml"
        if variant not in names():
            raise ModelError(f"unknown variant {variant!r} of the cascade; known: {', '.join(names())}")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in yaml.safe_load(path.read_text()).items()
            if key != "kind"
        }
        if unknown := set(values) - set(cls.__slots__):
            raise ModelError(f"{path}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(cls.__slots__)}")
        if missing := [name for name in cls.__slots__ if name not in values]:
            raise ModelError(f"{path}: {missing[0]} is missing")
        return cls(**values)


def names() -> list[str]:
    """The variants of this kind."""
    return variants(KIND)
