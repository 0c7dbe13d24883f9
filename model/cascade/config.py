"""Hyperparameters of a variant of the cascade, read from ``model/variants/NAME.yaml``."""

from __future__ import annotations

from dataclasses import dataclass

from model.base.variants import variant_values, variants
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
        if variant not in names():
            raise ModelError(f"unknown variant {variant!r} of the cascade; known: {', '.join(names())}")
        return cls(**variant_values(variant, cls.__slots__))


def names() -> list[str]:
    """The variants of this kind."""
    return variants(KIND)
