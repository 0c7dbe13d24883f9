"""Which filters run: presets, and each of their figures as a choice of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from roma_device.runtime.depth import RELOADABLE, DepthLimits

Preset = Literal["raw", "obstacles", "dense", "smooth"]
Region = tuple[float, float, float, float]
"""Left, top, right and bottom edge, as shares of the image's width and height."""


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What the filters do; as it stands: nothing.

    Pixels are those of the grid that filters run on: the network's input or the camera's image, whichever is smaller.
    """

    speckle_px: int = 0  # smaller patches are dropped
    speckle_step_px: float = 1.0  # neighbours within one patch differ by no more
    edge_px: int = 0  # width of the band that is dropped on the near side of a depth edge
    edge_step: float = 0.1  # what counts as an edge, as a share of the disparity; at least 0.3 px, at most 1 px
    doubt: float = 0.0  # where the mean certainty around is below it, what is nearer than what lies behind is dropped
    lenience: float = 0.0  # certainty that may be lacking for what is no nearer than what lies behind
    temporal: float = 0.0  # weight of the past
    temporal_reset_px: float = 1.0  # what changes by more is taken anew
    hysteresis: float = 0.0  # certainty by which what was known stays known for longer, and else is taken up later
    fill_px: int = 0  # holes up to this area are filled from the farther side
    decimate: int = 1  # each block of so many px squared gets its median
    region: Region | None = None  # what lies outside is unknown

    @property
    def is_off(self) -> bool:
        """Every map comes out as it went in."""
        return replace(self, speckle_step_px=1.0, edge_step=0.1, temporal_reset_px=1.0) == FilterSettings()

    @property
    def remembers(self) -> bool:
        """A frame's result depends on those before it."""
        return self.temporal > 0 or self.hysteresis > 0


PRESETS: dict[Preset, FilterSettings] = {
    "raw": FilterSettings(),
    "obstacles": FilterSettings(speckle_px=30, edge_px=1, doubt=0.58, lenience=0.15),
    "dense": FilterSettings(speckle_px=30, fill_px=400),
    "smooth": FilterSettings(speckle_px=30, edge_px=1, doubt=0.58, lenience=0.2, temporal=0.7, hysteresis=0.05),
}
"""Figures measured by ``python -m bench.depth.filters``."""


@dataclass(frozen=True, slots=True)
class DepthOptions(DepthLimits):
    """What counts as a measurement, and how maps are cleaned; a figure that is None is the preset's.

    Raises ValueError for an empty range of depths or an empty region.
    """

    preset: Preset = field(default="raw", metadata=RELOADABLE)
    speckle_px: int | None = field(default=None, metadata=RELOADABLE)
    speckle_step_px: float | None = field(default=None, metadata=RELOADABLE)
    edge_px: int | None = field(default=None, metadata=RELOADABLE)
    edge_step: float | None = field(default=None, metadata=RELOADABLE)
    doubt: float | None = field(default=None, metadata=RELOADABLE)
    lenience: float | None = field(default=None, metadata=RELOADABLE)
    temporal: float | None = field(default=None, metadata=RELOADABLE)
    temporal_reset_px: float | None = field(default=None, metadata=RELOADABLE)
    hysteresis: float | None = field(default=None, metadata=RELOADABLE)
    fill_px: int | None = field(default=None, metadata=RELOADABLE)
    decimate: int | None = field(default=None, metadata=RELOADABLE)
    region: Region | None = field(default=None, metadata=RELOADABLE)

    def __post_init__(self) -> None:
        DepthLimits.__post_init__(self)  # super() is not to be had in a dataclass with slots
        if self.region is not None and not _is_region(self.region):
            raise ValueError(f"region {list(self.region)} must be left < right and top < bottom, each from 0 to 1")

    @property
    def filters(self) -> FilterSettings:
        """The preset's figures, with those in their place that were chosen."""
        names = FilterSettings.__dataclass_fields__
        chosen: dict[str, Any] = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(PRESETS[self.preset], **chosen)


def _is_region(region: Region) -> bool:
    left, top, right, bottom = region
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1
