"""Frame source of the loop: a live camera has a capture thread of its own, all others are read one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from loguru import logger

from roma_device.app.cameras import CaptureCounts
from roma_device.app.recording.recorder import Recorder
from roma_device.runtime.types import StereoFrame

from . import Camera, LiveCamera, PacedCamera
from .mailbox import Mailbox

LOOK_S = 0.1
"""How often a wait for frames looks whether to stop."""

STOP_PATIENCE_S = 1.0
"""How long the end of a run waits for the capture thread: what hangs in a driver is left behind."""


class RateLimit:
    """Lets at most ``max_fps`` frames per second pass; None: all. Without debts: a late frame lets none pass early."""

    def __init__(self, max_fps: float | None = None) -> None:
        self.max_fps = max_fps
        self._next_s = 0.0

    @property
    def is_due(self) -> bool:
        return self.max_fps is None or time.monotonic() >= self._next_s

    def wait(self, stop: threading.Event) -> None:
        """Until the next frame may pass or ``stop`` is set."""
        if not self.is_due:
            stop.wait(self._next_s - time.monotonic())

    def set_max_fps(self, max_fps: float | None) -> None:
        """From the next frame on."""
        self.max_fps = max_fps

    def count(self) -> None:
        """A frame passes."""
        if self.max_fps is not None:
            self._next_s = max(time.monotonic(), self._next_s) + 1 / self.max_fps


class FrameSource(AbstractContextManager["FrameSource"], Protocol):
    """Frames for a loop that may have better things to do than to wait."""

    is_live: bool  # whether timestamps are of now and frames may be lost
    counts: CaptureCounts
    limit: RateLimit

    @property
    def mailbox_age_ns(self) -> int:
        """How long the frame given last had been waiting to be taken."""

    def frames(self) -> Iterator[StereoFrame]:
        """Until the camera ends or ``stop`` is set; raises CameraError."""

    def has_frame(self) -> bool:
        """Whether the next frame comes without waiting for the camera."""

    def __exit__(self, *_: object) -> None:
        """Ends what runs beside the loop, if anything."""
        return


class FileSource(FrameSource):
    """A camera that waits for its reader: every frame counts, and the next one is always at hand."""

    is_live = False
    mailbox_age_ns = 0

    def __init__(self, camera: Camera, stop: threading.Event, limit: RateLimit, recorder: Recorder | None) -> None:
        self._camera, self._stop, self.limit, self._recorder = camera, stop, limit, recorder
        self.counts = CaptureCounts()
        self.counts.is_connected = True
        if isinstance(camera, PacedCamera):
            camera.pace_by(stop.wait)

    def frames(self) -> Iterator[StereoFrame]:
        for frame in self._camera.frames():
            self.limit.wait(self._stop)
            if self._stop.is_set():
                return
            self.limit.count()
            self.counts.pairs += 1
            if self._recorder is not None:
                self._recorder.offer(frame)
            yield frame

    def has_frame(self) -> bool:
        return self.limit.is_due


class LiveSource(FrameSource):
    """A thread that takes every frame of the camera and keeps the newest; it runs inside the ``with`` block."""

    is_live = True

    def __init__(self, camera: LiveCamera, stop: threading.Event, limit: RateLimit, recorder: Recorder | None) -> None:
        self._camera, self._stop, self.limit, self._recorder = camera, stop, limit, recorder
        self.counts = camera.counts
        self._mailbox: Mailbox[StereoFrame] = Mailbox()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._capture, name="capture", daemon=True)

    @property
    def mailbox_age_ns(self) -> int:
        return self._mailbox.age_ns

    def __enter__(self) -> LiveSource:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.stop()
        self._thread.join(STOP_PATIENCE_S)
        if self._thread.is_alive():
            logger.warning("the camera's driver does not answer: its thread is left behind")

    def _capture(self) -> None:
        try:
            for frame in self._camera.frames():
                if self._recorder is not None:
                    self._recorder.offer(frame)
                if not self._mailbox.put(frame):
                    self.counts.drop("overwritten")
        except Exception as failure:
            self._failure = failure
        finally:
            self._mailbox.close()

    def frames(self) -> Iterator[StereoFrame]:
        while not self._stop.is_set():
            self.limit.wait(self._stop)
            frame = self._mailbox.take(LOOK_S)
            if frame is not None:
                self.limit.count()
                yield frame
            elif self._mailbox.is_finished:
                break
        if self._failure is not None and not self._stop.is_set():
            raise self._failure

    def has_frame(self) -> bool:
        return self.limit.is_due and self._mailbox.is_full


def open_source(
    camera: Camera, stop: threading.Event, max_fps: float | None = None, recorder: Recorder | None = None
) -> FrameSource:
    """The source that suits the kind of camera; ``recorder`` gets every pair, those that are overwritten too."""
    limit = RateLimit(max_fps)
    if isinstance(camera, LiveCamera):
        return LiveSource(camera, stop, limit, recorder)
    return FileSource(camera, stop, limit, recorder)
