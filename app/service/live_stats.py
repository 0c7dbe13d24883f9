"""How the run is doing now: rate, latency, skew, drops."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from loguru import logger

from roma_device.app.cameras.source import FrameSource
from roma_device.runtime.types import Result

WINDOW = 100
"""Frames over which the figures are taken."""

LEAST_VALID_RATIO = 0.02
"""Fewer known pixels than that are no depth: pairs that do not belong together have under 1 %."""

ALARM_FRAMES, ALARM_S = 30, 600.0
"""A warning comes after so many frames in a row with nothing in them, and again after so long."""


@dataclass(frozen=True, slots=True)
class FrameStats:
    """One frame that went all the way through."""

    done_ns: int  # monotonic clock
    latency_ms: float | None  # from the kernel's timestamp to the last sink; None where stamps are not of now
    mailbox_age_ms: float
    skew_ms: float
    valid_ratio: float | None  # None where no network ran


class RowWatch(Protocol):
    """Who measures how far the rows of left and right are apart."""

    @property
    def vertical_px(self) -> float | None:
        """By the newest look; None before the first."""


@dataclass(slots=True)
class LiveStats:
    """Collects figures frame by frame; one thread adds, any may read ``as_json``."""

    source: FrameSource
    watch: RowWatch | None = None
    frames: int = 0
    nonsense: int = 0  # of these, results that the network's outputs gave no depth for
    recent: deque[FrameStats] = field(default_factory=lambda: deque(maxlen=WINDOW))
    started_ns: int = field(default_factory=time.monotonic_ns)
    useless: int = 0  # frames in a row, up to the last one, that gave neither depth nor pose
    task: str = "depth"  # or "pose": what makes a frame useful
    last_useful_ns: int = 0  # monotonic; at first the first frame
    _alarmed_s: float = -ALARM_S

    def add(self, result: Result) -> FrameStats:
        """Take the figures of a frame when its last sink is done with it."""
        done_ns = time.monotonic_ns()
        latency_ms = (done_ns - result.frame.timestamp_ns) / 1e6 if self.source.is_live else None
        valid = result.depth.valid_ratio if result.depth else float(result.valid.mean())
        known = valid if result.matches.makes_any else None
        figures = FrameStats(done_ns, latency_ms, self.source.mailbox_age_ns / 1e6, result.frame.skew_ns / 1e6, known)
        self.frames += 1
        self.nonsense += not result.matches.makes_sense
        self.recent.append(figures)
        self._watch_use(result, figures)
        return figures

    def _watch_use(self, result: Result, figures: FrameStats) -> None:
        """Frames that come and yet say nothing are an alarm: the loop itself is content with them."""
        self.task = "pose" if result.depth is None and result.pose is not None else "depth"
        if self.task == "pose":
            is_useful = result.pose is not None and result.pose.state != "lost"
        else:
            is_useful = (figures.valid_ratio or 0.0) >= LEAST_VALID_RATIO
        if is_useful or not self.last_useful_ns:
            self.last_useful_ns = figures.done_ns
        self.useless = 0 if is_useful else self.useless + 1
        now_s = figures.done_ns / 1e9
        if self.useless >= ALARM_FRAMES and now_s - self._alarmed_s >= ALARM_S:
            self._alarmed_s = now_s
            logger.warning(
                "there was no {} in the last {} frames ({:.1f} % of the pixels known): are the cameras covered, "
                "swapped, turned, out of step, or both the same one?",
                self.task,
                self.useless,
                100 * (figures.valid_ratio or 0.0),
            )

    @property
    def last_useful_age_s(self) -> float:
        """Since the last frame with depth or pose in it."""
        return (time.monotonic_ns() - self.last_useful_ns) / 1e9 if self.last_useful_ns else 0.0

    @property
    def vertical_px(self) -> float | None:
        """How far the rows of left and right are apart, by the newest look."""
        return None if self.watch is None else self.watch.vertical_px

    @property
    def last_frame_age_s(self) -> float | None:
        """Since the last frame that went all the way through; None before the first."""
        return (time.monotonic_ns() - self.recent[-1].done_ns) / 1e9 if self.recent else None

    def as_json(self) -> dict[str, Any]:
        """For JSON. Rates and medians are those of the last WINDOW frames."""
        recent = list(self.recent)
        age_s = self.last_frame_age_s
        counts = self.source.counts
        return {
            "frames": self.frames,
            "nonsense": self.nonsense,
            "fps": _fps(recent),
            "latency_ms": _median(each.latency_ms for each in recent if each.latency_ms is not None),
            "mailbox_age_ms": _median(each.mailbox_age_ms for each in recent),
            "skew_ms": _median(each.skew_ms for each in recent),
            "valid_ratio": _median(each.valid_ratio for each in recent if each.valid_ratio is not None),
            "vertical_px": None if (vertical_px := self.vertical_px) is None else round(vertical_px, 3),
            "last_frame_age_s": None if age_s is None else round(age_s, 3),
            "useless_frames": self.useless,
            "running_s": round((time.monotonic_ns() - self.started_ns) / 1e9, 1),
            "connected": counts.is_connected,
            "reconnects": counts.reconnects,
            "pairs": counts.pairs,
            "dropped": counts.dropped,
        }

    def as_line(self) -> str:
        """One line for a person."""
        now = self.as_json()
        parts = [f"{now['frames']} frames", f"{now['fps'] or 0:.1f} fps"]
        if now["latency_ms"] is not None:
            parts.append(f"latency {now['latency_ms']:.1f} ms")
            parts.append(f"skew {now['skew_ms']:.1f} ms")
        if now["valid_ratio"] is not None:
            parts.append(f"valid {100 * now['valid_ratio']:.0f} %")
        dropped = ", ".join(f"{count} {reason}" for reason, count in now["dropped"].items() if count)
        parts.append(f"dropped: {dropped or 'none'}")
        if now["nonsense"]:
            parts.append(f"without sense: {now['nonsense']}")
        return "; ".join(parts) + ("" if now["connected"] else "; cameras are gone")


def _fps(recent: list[FrameStats]) -> float | None:
    if len(recent) < 2:
        return None
    return round(1e9 * (len(recent) - 1) / max(recent[-1].done_ns - recent[0].done_ns, 1), 2)


def _median(values: Iterable[float]) -> float | None:
    ordered = sorted(values)
    return round(ordered[len(ordered) // 2], 3) if ordered else None
