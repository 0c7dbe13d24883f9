"""Replay of a recording as a camera, to the bit as it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from roma_device.app.recording.layout import CALIBRATION, FORMAT, SESSION, SUFFIX, VERSION, RecordingError, read_pairs
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_exit_code, read_json, read_text
from roma_device.runtime.types import StereoFrame

from . import Camera, CameraError
from .query import Query, usage

GAP_NS = 1_000_000_000 // 30
"""Between the last pair of one round and the first of the next."""


@dataclass(frozen=True, slots=True)
class RecordingSpec:
    """What ``recording:PATH[,PATH...][?speed=X&loop=N&all=1]`` asks for."""

    paths: tuple[Path, ...]
    speed: float  # 1: as recorded; 0, the default: as fast as pairs are taken
    rounds: int | None  # default 1; None: without end
    all: bool = False  # whether a folder of several stands for all of them

    @classmethod
    def parse(cls, text: str) -> RecordingSpec:
        """Raises CameraError for an unknown key or value."""
        path, query = Query.split(text, "recording", ("speed", "loop", "all"))
        paths = tuple(Path(part) for part in path.split(",")) if path else (Path(),)
        several = query.choice("all", "0", ("0", "1")) == "1"
        return cls(paths, query.number("speed", 0, 0, 1000), query.whole("loop", 1, 0) or None, several)


class RecordingCamera(Camera):
    """Replays a recording; each round after the first goes on where the stamps of the one before ended."""

    def __init__(self, spec: RecordingSpec) -> None:
        """Raises CameraError where there is no recording, or one of another version."""
        self._spec = spec
        self._wait: Callable[[float], object] = time.sleep
        self._folders = [folder for path in spec.paths for folder in find_sessions(path, spec.all)]
        for folder in self._folders:
            _check_session(folder / SESSION)
        self._calibration = _calibration_of(self._folders)

    @classmethod
    def from_spec(cls, argument: str) -> RecordingCamera:
        """From ``PATH[,PATH...][?speed=X&loop=N&all=1]``.

        A PATH is the folder of a recording, or one that holds a single recording, or with ``all`` several.
        Recordings are replayed one after the other, as if the time between them had been ``GAP_NS``.
        """
        return cls(RecordingSpec.parse(argument))

    @property
    def calibration(self) -> StereoCalibration | None:
        """The rig's calibration, where it was known to whoever recorded."""
        return self._calibration

    def pace_by(self, wait: Callable[[float], object]) -> None:
        """Wait by ``wait(seconds)`` between pairs."""
        self._wait = wait

    def frames(self) -> Iterator[StereoFrame]:
        """All pairs; raises CameraError at one that is damaged. A torn end, as a power cut leaves it, ends them."""
        offset_ns, start_s = 0, time.monotonic()
        first_ns: int | None = None
        next_ns: int | None = None  # stamp of the next recording's first pair
        rounds = count() if self._spec.rounds is None else range(self._spec.rounds)
        for folder in (folder for _ in rounds for folder in self._folders):
            last_ns, begin_ns = None, None
            for frame in _pairs(folder):
                if begin_ns is None:
                    begin_ns = frame.timestamp_ns
                    offset_ns = 0 if next_ns is None else next_ns - begin_ns
                frame = _later(frame, offset_ns)
                first_ns = frame.timestamp_ns if first_ns is None else first_ns
                last_ns = frame.timestamp_ns
                if self._spec.speed:
                    due_s = start_s + (frame.timestamp_ns - first_ns) / 1e9 / self._spec.speed
                    self._wait(max(0.0, due_s - time.monotonic()))
                yield frame
            if last_ns is not None:
                next_ns = last_ns + GAP_NS
            elif self._spec.rounds is None and first_ns is None:
                return  # without end, of nothing


def _pairs(folder: Path) -> Iterator[StereoFrame]:
    chunks = sorted(folder.glob(f"*{SUFFIX}"))
    for chunk in chunks:
        try:
            with chunk.open("rb") as file:
                yield from read_pairs(file, chunk, is_last=chunk == chunks[-1])
        except RecordingError as error:
            raise _damaged(str(error)) from error
        except OSError as error:
            message = f"{chunk}: cannot read the recording ({error.strerror})"
            raise CameraError(message, exit_code=read_exit_code(error)) from error


def _calibration_of(folders: list[Path]) -> StereoCalibration | None:
    """Of all of them; raises CameraError where they were recorded with rigs that differ."""
    texts = {read_text(path, "calibration") if (path := folder / CALIBRATION).exists() else "" for folder in folders}
    if len(texts) > 1:
        raise usage("the recordings have different calibrations: replay them one by one, or give all of them the same")
    path = folders[0] / CALIBRATION
    return load_calibration(path) if path.exists() else None


def find_sessions(path: Path, several: bool) -> list[Path]:
    """As ``find_session``; with ``several`` all that ``path`` holds, by name."""
    if not several or (path / SESSION).is_file():
        return [find_session(path)]
    found = sorted(session.parent for session in path.glob(f"*/{SESSION}"))
    return found or [find_session(path)]


def find_session(path: Path) -> Path:
    """``path`` itself if it is a recording, else the only one in it; raises CameraError."""
    if (path / SESSION).is_file():
        return path
    found = sorted(session.parent for session in path.glob(f"*/{SESSION}")) if path.is_dir() else []
    if len(found) == 1:
        return found[0]
    if found:
        raise usage(f"{path} holds {len(found)} recordings: name one, such as {found[-1]}, or write {path}?all=1")
    raise CameraError(f"{path} is no recording: there is no {SESSION} in it", exit_code=os.EX_NOINPUT)


def _check_session(path: Path) -> None:
    session = read_json(path, "recording", CameraError)
    if not isinstance(session, dict) or session.get("format") != FORMAT:
        raise _damaged(f"{path} does not describe a recording of this program")
    if session.get("version") != VERSION:
        raise _damaged(f"{path}: version is {session.get('version')}, but this program reads {VERSION}")


def _later(frame: StereoFrame, offset_ns: int) -> StereoFrame:
    if not offset_ns:
        return frame
    left, right = (replace(image, timestamp_ns=image.timestamp_ns + offset_ns) for image in (frame.left, frame.right))
    return StereoFrame(left, right)


def _damaged(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_DATAERR)
