"""Live stereo camera fed by other programs, which may come, go and return while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from roma_device.app.cameras import Camera, CameraError, CaptureCounts
from roma_device.runtime.types import StereoFrame

from .session import PipeSession
from .spec import PipeSpec

WAIT_STEP_S = 0.1
"""How long a wait for frames may keep ``stop`` from being seen."""


class PipeCamera(Camera):
    """Pairs while producers feed the socket; when they fail it waits for them, for a limited time."""

    def __init__(self, spec: PipeSpec) -> None:
        """Listens at once, so that producers can connect; raises CameraError where that cannot be."""
        self._spec = spec
        self.counts = CaptureCounts()
        self._stop = threading.Event()
        self._session = PipeSession(spec, self.counts)

    @classmethod
    def from_spec(cls, argument: str) -> PipeCamera:
        """From ``SOCKET``, with options as PipeSpec has them after a ``?``."""
        return cls(PipeSpec.parse(argument))

    def stop(self) -> None:
        """Let ``frames`` end within WAIT_STEP_S or so; for another thread or a signal handler."""
        self._stop.set()

    def frames(self) -> Iterator[StereoFrame]:
        """Until ``stop``; raises CameraError after ``wait_s`` or, later, ``reconnect_s`` without a pair."""
        last_s = time.monotonic()
        while not self._stop.is_set():
            for frame in self._session.pairs(WAIT_STEP_S):
                self._note_pair()
                yield frame
                last_s = time.monotonic()  # whoever took the frame may have kept us waiting
            self._note_absence(time.monotonic() - last_s)

    def _note_pair(self) -> None:
        if not self.counts.is_connected and self.counts.pairs > 1:
            self.counts.reconnects += 1
        self.counts.is_connected = True

    def _note_absence(self, silence_s: float) -> None:
        if silence_s <= self._spec.timeout_s:
            return
        if self.counts.is_connected:
            self.counts.is_connected = False
            self._session.complaints.say(f"{self._absence(self._spec.timeout_s)}; waiting for pairs")
        limit_s = self._spec.reconnect_s if self.counts.pairs else self._spec.wait_s
        if silence_s > limit_s:
            raise CameraError(f"{self._absence(limit_s)}; given up")

    def _absence(self, limit_s: float) -> str:
        reasons = [f"{count} {reason}" for reason, count in self.counts.dropped.items() if count]
        missing = self._session.missing_sides()
        nobody = [f"nobody feeds {' and '.join(missing)}"] if missing else []
        why = "; ".join([*nobody, f"dropped so far: {', '.join(reasons) or 'none'}"])
        return f"no usable pair at {self._spec.socket} for {limit_s:g} s ({why})"

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.counts.is_connected = False
        self._session.close()
