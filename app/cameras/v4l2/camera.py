"""Live V4L2 stereo camera with reconnection: two devices, or one that delivers both images side by side."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

from loguru import logger

from roma_device.app.cameras import Camera, CameraError, CaptureCounts
from roma_device.runtime.types import StereoFrame

from .kernel import Kernel, LinuxKernel
from .session import V4l2Session
from .spec import V4l2Spec

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
WAIT_STEP_S = 0.1
"""How long a wait for frames may keep ``stop`` from being seen."""

PERMANENT = (os.EX_USAGE,)
"""Exit codes of what trying again cannot mend."""


class V4l2Camera(Camera):
    """Frames while the cameras run; when they vanish or stall it tries to get them back, for a limited time."""

    def __init__(self, spec: V4l2Spec, kernel: Kernel | None = None) -> None:
        """Opens the cameras; raises CameraError, unless ``spec.wait_s`` lets ``frames`` wait for them."""
        self._spec, self._kernel = spec, kernel or LinuxKernel()
        self.counts = CaptureCounts()
        self._stop = threading.Event()
        self._session: V4l2Session | None = None
        self._missing: CameraError | None = None  # why they are not open yet
        try:
            self._session = self._open()
        except CameraError as error:
            if error.exit_code in PERMANENT or not spec.wait_s:
                raise
            self._missing = error
            logger.warning(f"{error}; waiting for it")

    @classmethod
    def from_spec(cls, argument: str) -> V4l2Camera:
        """From ``LEFT,RIGHT`` or ``DEVICE``, with options as V4l2Spec has them after a ``?``."""
        return cls(V4l2Spec.parse(argument))

    def stop(self) -> None:
        """Let ``frames`` end within WAIT_STEP_S or so; for another thread or a signal handler."""
        self._stop.set()

    def frames(self) -> Iterator[StereoFrame]:
        """Until ``stop``; raises CameraError when the cameras cannot be had back within ``spec.reconnect_s``."""
        if self._missing is not None:
            self._session = self._reopen(self._spec.wait_s, self._missing)
        while not self._stop.is_set() and self._session is not None:
            try:
                yield from self._until_it_breaks(self._session)
            except CameraError as error:
                self._disconnect()
                logger.warning(f"{error}; trying to get the cameras back")
                self._session = self._reopen(self._spec.reconnect_s, error)
                self.counts.reconnects += self._session is not None

    def _until_it_breaks(self, session: V4l2Session) -> Iterator[StereoFrame]:
        last_s = time.monotonic()
        while not self._stop.is_set():
            for frame in session.pairs(WAIT_STEP_S):
                last_s = time.monotonic()
                yield frame
                last_s = time.monotonic()  # whoever took the frame may have kept us waiting
            if time.monotonic() - last_s > self._spec.timeout_s:
                raise CameraError(self._stall())

    def _stall(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.counts.dropped.items() if count)
        return f"no usable pair for {self._spec.timeout_s:g} s (dropped so far: {reasons or 'none'})"

    def _reopen(self, limit_s: float, cause: CameraError) -> V4l2Session | None:
        """Try until ``limit_s`` are over, pausing longer each time; None where ``stop`` came first."""
        deadline_s, pause_s = time.monotonic() + limit_s, SHORTEST_PAUSE_S
        while cause.exit_code not in PERMANENT and time.monotonic() + pause_s <= deadline_s:
            if self._stop.wait(pause_s):
                return None
            try:
                return self._open()
            except CameraError as error:
                cause = error
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        if cause.exit_code in PERMANENT:
            raise cause
        raise CameraError(f"{cause}; given up after {limit_s:g} s")  # not a missing file: it may come back

    def _open(self) -> V4l2Session:
        session = V4l2Session(self._spec, self.counts, self._kernel)
        self.counts.is_connected = True
        return session

    def _disconnect(self) -> None:
        self.counts.is_connected = False
        if self._session is not None:
            self._session.close()
            self._session = None

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._disconnect()
