"""A recording on disk, as the commands look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from roma_device.app.cameras.recording import RecordingCamera, RecordingSpec, find_session
from roma_device.app.recording.layout import SESSION, SUFFIX, RecordingError
from roma_device.calibration.errors import RomaError
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_json
from roma_device.runtime.types import StereoFrame


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """The folder of a recording."""

    folder: Path
    session: dict[str, Any]
    camera: RecordingCamera

    @classmethod
    def find(cls, path: Path) -> StoredRecording:
        """At ``path``, or the only one in it; raises CameraError."""
        folder = find_session(path)
        camera = RecordingCamera(RecordingSpec((folder,), 0, 1))
        return cls(folder, read_json(folder / SESSION, "recording", RecordingError), camera)

    @property
    def calibration(self) -> StereoCalibration | None:
        return self.camera.calibration

    @property
    def bytes(self) -> int:
        """Of its pairs."""
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    @property
    def epoch_ns(self) -> int:
        """ns since 1970 when the recording was begun; 0 where it does not say."""
        try:
            return int(datetime.fromisoformat(self.session["made_at"]).timestamp() * 1e9)
        except (KeyError, TypeError, ValueError):
            return 0

    def frames(self) -> Iterator[StereoFrame]:
        """All pairs; raises CameraError at one that is damaged."""
        return self.camera.frames()

    def needed_calibration(self, why: str) -> StereoCalibration:
        """Raises RecordingError where the recording has none."""
        if self.calibration is None:
            message = f"{self.folder} has no calibration, and {why}: put the rig's as calibration.yaml into it"
            raise RecordingError(message, exit_code=os.EX_NOINPUT)
        return self.calibration


def wall_stamps(recording: StoredRecording) -> Iterator[tuple[int, StereoFrame]]:
    """Pairs with the left image's time in ns since 1970: differences are those of the recording, to the ns."""
    first_ns: int | None = None
    for frame in recording.frames():
        first_ns = frame.timestamp_ns if first_ns is None else first_ns
        yield recording.epoch_ns + frame.timestamp_ns - first_ns, frame


class ExportError(RomaError):
    """A file for other programs that cannot be written."""

    exit_code = os.EX_CANTCREAT
