"""What a run says of itself: one line at its start, progress, one line at its end, and why there is little to see."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click
from loguru import logger

from roma_device.app.model_store import model_name
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Size
from roma_device.runtime.engine import Engine, engine_name
from roma_device.runtime.types import Result

from .geometry import Geometry
from .likely_cause import NONE_TO_SPEAK_OF, likely_cause, valid_share

LIVE_LOOK = 15
"""A live camera's frame that is looked at: by then its exposure has settled."""

DRAW_S, TELL_S = 0.2, 10.0
"""How often progress is shown on a terminal, and in the log where stderr is none."""

NO_DISPARITY = "this model matches two views in any position: no disparity and no depth come of it; give a stereo model"
FASTER = "OpenVINO or ONNX Runtime would be 3 to 5 times faster on a PC: pip install openvino"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run before its first frame."""

    settings: Settings
    geometry: Geometry
    is_live: bool
    total_frames: int | None  # None: not known, or without end
    folder: Path | None
    saved: tuple[str, ...]

    def start_line(self, size: Size, engine: Engine | None) -> str:
        """For a run whose frames have ``size``; ``engine`` is None where no network runs."""
        return "; ".join(
            part for part in (self._camera(size), self._rig(), self._model(engine), self._output()) if part
        )

    def _camera(self, size: Size) -> str:
        named = self.settings.camera or "no --camera is given, so this is the simulated rig (Ctrl-C ends it)"
        return f"{named}, {size} px"

    def _rig(self) -> str:
        rig, choice = self.geometry.calibration, self.geometry.choice
        if rig is not None:
            known = [f"baseline {1000 * rig.baseline_m:.1f} mm", f"of {rig.made_at}" if rig.made_at else ""]
            return ", ".join(part for part in (f"calibration: {self.geometry.source}", *known) if part)
        if choice.focal_px is not None and choice.baseline_m is not None:
            return f"rectified, focal length {choice.focal_px:g} px, baseline {1000 * choice.baseline_m:.1f} mm"
        return "rectified, without focal length and baseline: disparity, no depth in metres"

    def _model(self, engine: Engine | None) -> str:
        if engine is None:
            return "no network"
        why = "the fastest that is installed" if self.settings.engine == "auto" else "as asked for"
        return f"model {model_name(self.settings.model)} on {engine_name(engine)} ({why})"

    def _output(self) -> str:
        saved = f"{', '.join(self.saved)} into {self.folder}" if self.folder is not None else "nothing is saved"
        published = self.settings.publish
        return f"{saved}, {' and '.join(published)} published" if published else saved

    def end_line(self, frames: int, problem: str | None) -> str:
        """For a run that went through ``frames`` frames."""
        saved = f", {', '.join(self.saved)} in {self.folder}" if self.folder is not None else ""
        return f"{frames} frame{'' if frames == 1 else 's'} done{saved}{'; ' if problem else ''}{problem or ''}"


class Narrator:
    """Observer of a run."""

    def __init__(
        self,
        facts: RunFacts,
        engine: Callable[[], Engine | None],
        say: Callable[[str], None],
        on_warning: Callable[[], None],
        is_quiet: bool = False,
    ) -> None:
        """``say`` prints a line; ``on_warning``: called after a warning of the images; ``is_quiet``: no progress."""
        self.facts, self._engine, self._say, self._on_warning = facts, engine, say, on_warning
        self._progress = Progress(None if is_quiet else facts.total_frames)
        self.frames = 0
        self.hint = ""

    def observe(self, result: Result) -> None:
        self.frames += 1
        if self.frames == 1:
            engine = self._engine()
            self._say(self.facts.start_line(result.frame.size, engine))
            if engine is not None and engine_name(engine) == "opencv" and self.facts.settings.engine == "auto":
                self.hint = FASTER
        is_turn = self.frames == (LIVE_LOOK if self.facts.is_live else 1)
        if is_turn and warn_of_little(result, came_rectified=self.facts.settings.rectified):
            self._on_warning()
        self._progress.show(self.frames)

    def end(self, problem: str | None) -> None:
        """Say what was done, and what would make it faster."""
        self._progress.clear()
        self._say("; ".join(part for part in (self.facts.end_line(self.frames, problem), self.hint) if part))


def warn_of_little(result: Result, *, came_rectified: bool) -> bool:
    """One warning where hardly a pixel of a frame has a value, or where its images cannot be a pair, with the cause.

    Returns whether there was one.
    """
    words = _words_of_little(result, came_rectified) if "depth" in result.times.stages_ms else None  # a network ran
    if words is not None:
        logger.warning(words)
    return words is not None


def _words_of_little(result: Result, came_rectified: bool) -> str | None:
    if result.matches.disparity_px is None:
        return NO_DISPARITY
    share = valid_share(result)
    cause = likely_cause(result, came_rectified)
    found = f"frame {result.index}: {100 * share:.0f} % of the pixels have a value"
    if cause is not None:
        return f"{found}: {cause}"
    return (
        f"{found}, and nothing tells why: look at the images, or at --save preview"
        if share < NONE_TO_SPEAK_OF
        else None
    )


class Progress:
    """How far a run with a known end is: a line of the terminal that is drawn anew, or one in the log now and then."""

    def __init__(self, total: int | None, stream: TextIO | None = None) -> None:
        self._total, self._stream = total, stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._started_s = self._last_s = time.monotonic()
        self._drawn = False

    def show(self, done: int) -> None:
        """Called with every frame; draws at a limited rate, and nothing for runs that are over at once."""
        now_s = time.monotonic()
        if self._total is None or now_s - self._last_s < (DRAW_S if self._is_terminal else TELL_S):
            return
        self._last_s = now_s
        elapsed_s = now_s - self._started_s
        left_s = elapsed_s / done * max(self._total - done, 0)
        text = f"{done} of {self._total} frames, {done / elapsed_s:.1f} fps, about {left_s:.0f} s left"
        if self._is_terminal:
            click.echo(f"\r\033[K{text}", file=self._stream, nl=False)
            self._drawn = True
        else:
            logger.info(text)

    def clear(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            click.echo("\r\033[K", file=self._stream, nl=False)
            self._drawn = False
