"""What is trained, on what, and with how much."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

from model.tiny_roma.config import TinyRomaConfig
from roma_device.runtime.card import ModelError

Pairs = Literal["two_view", "stereo"]
HELD_OUT_SEED = 20_000
"""Of the pairs that are scored on; no run is trained with it."""
SHIFTS_PX = (0, 1, 2, 4, 8)
"""Vertical misalignments of the rectified pairs that are scored on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A variant and what it learns from."""

    variant: str
    pairs: Pairs

    @classmethod
    def named(cls, text: str) -> Trial:
        """``VARIANT`` or ``VARIANT:stereo``; raises ModelError.

        A variant that matches along rows learns from rectified pairs in any case.
        """
        variant, _, pairs = text.partition(":")
        needs_rows = TinyRomaConfig.load(variant).stereo
        pairs = pairs or ("stereo" if needs_rows else "two_view")
        if pairs not in get_args(Pairs):
            raise ModelError(f"{text}: pairs are {' or '.join(get_args(Pairs))}", exit_code=os.EX_USAGE)
        if needs_rows and pairs != "stereo":
            raise ModelError(f"{text}: {variant} needs rectified pairs", exit_code=os.EX_USAGE)
        return cls(variant, pairs)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.variant}:{self.pairs}"


QUESTIONED = (
    "tiny_preprocess",
    "tiny_raw",
    "tiny_twice",
    "tiny_narrow",
    "tiny_fine",
    "tiny_row",
    "tiny_band0",
    "tiny_band1",
    "tiny_band2",
    "tiny_band4",
    "tiny_preprocess:stereo",
)
"""The trials that the questions of docs/models.md need."""
REST = (
    "tiny_coarse",
    "tiny_exact",
    "tiny_learned_mean_std",
    "tiny_large_twice",
    "tiny_row_narrow",
    "tiny_row_large",
    "tiny_row_large_twice",
    "tiny_row4_fine",
    "tiny_row4_half",
    "tiny_row4_large_twice",
)
"""Those that the table of all variants needs besides: in training, each variant equals one of these or those."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What every trial gets alike."""

    steps: int
    batch: int  # pairs per step
    size: tuple[int, int]  # width, height in px
    rate: float  # of AdamW
    muon_rate: float
    bf16: bool  # convolutions while training
    photos: int  # natural images among the textures
    patterns: int  # procedural ones
    max_shift_px: float  # vertical misalignment of rectified pairs while training
    held_out: int  # pairs that are scored on, and for rectified ones at each misalignment

    @property
    def warmup(self) -> int:
        return max(1, self.steps // 30)

    @property
    def cooldown(self) -> int:
        """Steps at the end over which the rate falls to zero."""
        return self.steps * 3 // 10
