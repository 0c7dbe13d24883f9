"""What a variant of TinyRoMa consists of: read from ``model/variants/NAME.yaml``, every choice a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import yaml

from model.base.variants import VARIANTS, variants
from roma_device.runtime.card import ModelError

KIND = "tiny_roma"

Normalization = Literal["instance", "batch", "mean_std", "none", "preprocess"]
Correlation = Literal["full", "row", "band"]
Position = Literal["exact", "released"]
Upsampling = Literal["resize", "fixed", "learned"]
Sampling = Literal["grid_sample", "gather"]
Fine = Literal["none", "whole", "split", "half"]


@dataclass(frozen=True, slots=True)
class TinyRomaConfig:
    """One variant; the defaults are the released model."""

    normalization: Normalization = "instance"  # of the grey image, over each image by itself
    stem_widths: tuple[int, ...] = (4, 8, 8)  # at 1/1, 1/2, 1/2
    fine_features: int = 24  # at 1/4
    coarse_features: int = 64  # at 1/8 and 1/16
    deep_features: int = 128  # at 1/32
    correlation: Correlation = "full"  # cells of B that a cell of A is compared with
    band_rows: int = 0  # band: so many rows above and below its own
    band_columns: tuple[int, ...] = ()  # band: least and greatest x_A - x_B in cells; empty: the whole row
    position: Position = "exact"  # expectation over all candidates, or the branch that the release runs
    passes: int = 1  # of the coarse matcher, which shares its weights
    upsampling: Upsampling = "resize"  # bilinear, or a transposed convolution: fixed equals bilinear
    sampling: Sampling = "grid_sample"  # how features of B are fetched; four gathers give the same
    fine: Fine = "whole"  # the fine matcher at 1/4; half: at half its width and height
    matcher_width: int = 256
    fine_width: int = 64
    prior: tuple[str, ...] = ()  # rows of the earlier measurements that had this graph

    @property
    def stereo(self) -> bool:
        """Whether it needs rectified pairs."""
        return self.correlation != "full"

    @property
    def stride(self) -> int:
        """Input px per cell of the outputs."""
        return 8 if self.fine == "none" else 4

    @classmethod
    def load(cls, variant: str) -> TinyRomaConfig:
        """Read the variant ``variant``; raises ModelError with file and key."""
        path = VARIANTS / f"{variant}.yaml"
        if variant not in names():
            raise ModelError(f"unknown variant {variant!r} of TinyRoMa; known: {', '.join(names())}")
        raw = {key: value for key, value in yaml.safe_load(path.read_text()).items() if key != "kind"}
        try:
            return cls.from_mapping(raw)
        except ModelError as error:
            raise ModelError(f"{path.name}: {error}") from None

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> TinyRomaConfig:
        """Raises ModelError for an unknown key, a value of the wrong kind, or choices that exclude each other."""
        hints = get_type_hints(cls)
        if unknown := set(raw) - set(cls.__slots__):
            raise ModelError(f"{min(unknown)} is not a key of a TinyRoMa variant")
        config = cls(**{key: _checked(key, value, hints[key]) for key, value in raw.items()})
        _check_together(config)
        return config


def names() -> list[str]:
    """The variants of this kind."""
    return variants(KIND)


def _checked(key: str, value: Any, hint: Any) -> Any:
    if options := get_args(hint) if hint is not tuple and getattr(hint, "__origin__", None) is Literal else ():
        if value not in options:
            raise ModelError(f"{key} is {value!r}: it must be one of {', '.join(options)}")
        return value
    if isinstance(value, list) and hint is not int:
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int) or hint is not int or value < 0:
        raise ModelError(f"{key} is {value!r}: it must be {'a count' if hint is int else 'a list'}")
    return value


def _check_together(config: TinyRomaConfig) -> None:
    if config.position == "released" and config.correlation != "full":
        raise ModelError("position released exists for correlation full alone")
    if config.correlation != "band" and (config.band_rows or config.band_columns):
        raise ModelError("band_rows and band_columns need correlation band")
    if config.band_columns and not (len(config.band_columns) == 2 and config.band_columns[0] < config.band_columns[1]):
        raise ModelError("band_columns takes the least and the greatest x_A - x_B in cells")
    if config.passes < 1 or len(config.stem_widths) != 3:
        raise ModelError("passes must be at least 1, and stem_widths must have 3 entries")
