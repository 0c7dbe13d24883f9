"""Stereo pipeline: one stereo frame in, one result out."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from roma_device.calibration.arrays import GreyImage, Mask, Size
from roma_device.calibration.rectify import MapPair, Rectification, RectifiedRig

from .card import ModelCard
from .depth import has_partner, make_depth, valid_matches
from .engine import Engine
from .filters.chain import DepthFilters, enlarge, filter_grid
from .filters.options import DepthOptions, FilterSettings
from .matching_network import MatchingNetwork, NetworkOptions, timed
from .rectified_images import RectifiedImages
from .types import Matches, Result, StageTimes, StereoFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Submitted:
    """A frame on its way."""

    frame: StereoFrame
    index: int
    dropped: int
    times: StageTimes
    rectified: tuple[GreyImage, GreyImage] | None


class Pipeline(Protocol):
    """One stereo frame in, one result out, in two halves; StereoPipeline has what the members mean."""

    rig: RectifiedRig
    capacity: int

    @property
    def pending(self) -> int: ...

    @property
    def engine(self) -> Engine | None: ...

    def set_limits(self, limits: DepthOptions) -> None: ...

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None: ...

    def collect(self) -> Result: ...

    def close(self) -> None: ...


class StereoPipeline(AbstractContextManager["StereoPipeline"]):
    """Rectification, matching network and depth.

    Every frame must have the size of ``rectification.rig``. Use as a context manager. ``submit`` and ``collect``
    are the two halves of ``process``, as in MatchingNetwork.
    """

    def __init__(
        self,
        card: ModelCard,
        rectification: Rectification,
        options: NetworkOptions | None = None,
        limits: DepthOptions | None = None,
    ) -> None:
        """Raises ModelError and EngineError."""
        self.card, self.rig, self.rectification = card, rectification.rig, rectification
        self.network = MatchingNetwork(card, self.rig.size, options, rectification)
        self.capacity = self.network.capacity
        self._submitted: deque[_Submitted] = deque()
        self._filters: DepthFilters | None = None
        self.set_limits(limits or DepthOptions())
        left_maps = rectification.left_maps
        self._in_view = None if left_maps is None else _in_view(left_maps, self.rig.size)

    @property
    def pending(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._submitted)

    @property
    def engine(self) -> Engine | None:
        """What runs the network; None where there is none."""
        return self.network.engine

    def set_limits(self, limits: DepthOptions) -> None:
        """Take ``limits`` from the next result on."""
        self._limits = limits
        self._min_confidence = self.card.min_confidence if limits.min_confidence is None else limits.min_confidence
        self._set_filters(limits.filters)

    def _set_filters(self, settings: FilterSettings) -> None:
        """What filters remember stays as long as their settings do."""
        if settings.is_off or self.card.task != "stereo":
            self._filters = None
        elif self._filters is None or self._filters.settings != settings:
            self._filters = DepthFilters(settings, filter_grid(self.network.plan.content, self.rig.size))

    def process(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> Result:
        """Raises EngineError where the network fails."""
        self.submit(frame, index, dropped)
        return self.collect()

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        """Prepare ``frame`` and let the network run on it; at most ``capacity`` frames at a time."""
        times = StageTimes()
        self.network.submit(frame.left.image, frame.right.image, times)
        self._submitted.append(_Submitted(frame, index, dropped, times, self.network.rectified))

    def collect(self) -> Result:
        """The result of the frame that was submitted first; waits for the network, and raises EngineError."""
        first = self._submitted.popleft()
        frame, (matches, kept) = first.frame, self._matches(first)
        with timed(first.times, "depth"):
            valid = valid_matches(matches, self._min_confidence, self._in_view) if kept is None else kept
            metric = self.rig.is_metric and matches.disparity_px is not None
            depth = make_depth(matches, valid, self.rig, self._limits, frame.timestamp_ns) if metric else None
        images = RectifiedImages(frame.left.image, frame.right.image, self.rectification, first.rectified)
        return Result(frame, first.index, matches, valid, self.rig, depth, images, first.times, first.dropped)

    def _matches(self, first: _Submitted) -> tuple[Matches, Mask | None]:
        """Matches of ``first`` at the camera's resolution; where filters run also which of them they keep."""
        if self._filters is None:
            return self.network.collect(), None
        matches = self.network.collect(self._filters.size)
        with timed(first.times, "filters"):
            filtered, kept = self._filters(matches, self._min_confidence, first.frame.timestamp_ns)
            matches, kept = enlarge(filtered, kept, self.rig.size)
            kept = kept & has_partner(matches)
            return matches, kept if self._in_view is None else kept & self._in_view

    def close(self) -> None:
        self.network.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def _in_view(maps: MapPair, size: Size) -> Mask:
    """(H, W): pixels of the rectified image that lie inside the raw one."""
    x, y = maps
    return (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)
