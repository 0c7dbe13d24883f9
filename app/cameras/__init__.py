"""Cameras: whatever gives stereo frames. One file each, named in CAMERAS."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from roma_device.calibration.errors import RomaError
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime import registry
from roma_device.runtime.types import StereoFrame

DropReason = Literal["unpaired", "stale", "timestamp", "damaged", "torn", "black", "frozen", "overwritten"]
DROP_REASONS: tuple[str, ...] = get_args(DropReason)
"""unpaired: no frame of the other camera within max_skew_ms; stale: newer ones were there already; timestamp: it does
not rise or is not of now; damaged: the driver says so; torn: not whole; black: one camera alone sees nothing; frozen:
the same picture again and again; overwritten: a newer frame came before the program took it."""


class CaptureCounts:
    """Counters that one thread writes and others read. One per frame of one camera, or per pair where they are one."""

    def __init__(self) -> None:
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.pairs = 0
        self.reconnects = 0
        self.is_connected = False

    def drop(self, reason: DropReason, count: int = 1) -> None:
        with self._lock:
            self._dropped[reason] += count

    @property
    def dropped(self) -> dict[str, int]:
        """Frames that never became a result, by reason; reasons that never occurred are there with 0."""
        with self._lock:
            return {reason: self._dropped[reason] for reason in DROP_REASONS}

    @property
    def total_dropped(self) -> int:
        with self._lock:
            return self._dropped.total()


CAMERAS: dict[str, str] = {
    "images": "roma_device.app.cameras.images:ImagesCamera",
    "pipe": "roma_device.app.cameras.pipe.camera:PipeCamera",
    "recording": "roma_device.app.cameras.recording:RecordingCamera",
    "shm": "roma_device.app.shared_memory.camera:SharedMemoryCamera",
    "simulated": "roma_device.app.cameras.simulated:SimulatedCamera",
    "v4l2": "roma_device.app.cameras.v4l2.camera:V4l2Camera",
    "video": "roma_device.app.cameras.video:VideoCamera",
}
"""Kind -> "module:Class"; each class has ``from_spec(argument: str)`` for the text after ``KIND:``."""


class CameraError(RomaError):
    """A camera that is not there, cannot be opened or gives no usable pair."""

    exit_code = os.EX_UNAVAILABLE


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of stereo frames, open while its ``with`` block runs."""

    @property
    def calibration(self) -> StereoCalibration | None:
        """The rig's own calibration where the source knows it (simulation, recordings), else None."""
        return None

    def frames(self) -> Iterator[StereoFrame]:
        """Frames until the source ends; raises CameraError where it breaks midway."""

    def __exit__(self, *_: object) -> None:
        """Closes what is open; a camera without anything to close leaves it as it is."""
        return


@runtime_checkable
class LiveCamera(Camera, Protocol):
    """A camera that does not wait for its reader: what is not taken in time is lost.

    Timestamps are those of ``time.monotonic_ns``.
    """

    counts: CaptureCounts

    def stop(self) -> None:
        """Let ``frames`` end soon, from any thread."""


@runtime_checkable
class PacedCamera(Camera, Protocol):
    """A camera that waits between its frames, as a recording does that is replayed as fast as it was taken."""

    def pace_by(self, wait: Callable[[float], object]) -> None:
        """Wait by ``wait(seconds)``, which a stop may cut short, instead of sleeping."""


def first_frame(camera: Camera) -> StereoFrame:
    """Raises CameraError where there is none."""
    frame = next(iter(camera.frames()), None)
    if frame is None:
        raise CameraError("the camera gave no frame")
    return frame


def open_camera(spec: str) -> Camera:
    """Make the camera that ``spec`` ("KIND" or "KIND:ARGUMENT") names; raises CameraError."""
    kind, _, argument = spec.partition(":")
    if "\0" in spec:
        raise CameraError(f"camera {spec!r} holds characters that no name has", exit_code=os.EX_USAGE)
    if kind not in CAMERAS:
        raise CameraError(f"unknown camera kind {kind!r}; known: {', '.join(CAMERAS)}", exit_code=os.EX_USAGE)
    factory: Any = registry.load(CAMERAS, kind)
    camera: Camera = factory.from_spec(argument)
    return camera
