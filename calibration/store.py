"""Version store of a rig's calibrations: every one is kept, none is overwritten."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import CalibrationError
from .formats.exchange import load_calibration
from .formats.own import save_calibration
from .rig import StereoCalibration
from .storage.files import write_atomic, write_exit_code

_NUMBER, _SHORT = re.compile(r"[0-9]{4,9}"), re.compile(r"[0-9]{1,3}")

HISTORY = "history"
"""File with the number of each version that was put to use, oldest first; the last one is in use."""


TAKEN_WITH = "camera"
"""Key of a calibration's origin: the camera that took its pairs, as ``run`` names it, without what follows a ``?``."""


@dataclass(frozen=True, slots=True)
class Version:
    """One stored calibration."""

    number: int
    path: Path
    in_use: bool

    def load(self) -> StereoCalibration:
        return load_calibration(self.path)


def default_folder() -> Path:
    """Where versions are kept: systemd's state folder, else the user's (XDG)."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0]) / "calibration"
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "roma-device" / "calibration"


class CalibrationStore:
    """A folder with ``0001.yaml``, ``0002.yaml``... and the history of their use.

    Every method raises CalibrationError where the folder cannot be read or written, or a version is not there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder

    def versions(self) -> list[Version]:
        """All of them, oldest first."""
        used = self._history()
        return [
            Version(number, path, used[-1:] == [number])
            for number, path in sorted(
                (int(path.stem), path) for path in self.folder.glob("*.yaml") if _NUMBER.fullmatch(path.stem)
            )
        ]

    def version(self, number: int) -> Version:
        for version in self.versions():
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions()) or "none yet"
        raise CalibrationError(
            f"there is no version {number} in {self.folder}; known: {known}", exit_code=os.EX_NOINPUT
        )

    def current(self) -> Version | None:
        """The version in use, None where there is none."""
        return next((version for version in self.versions() if version.in_use), None)

    def add(self, calibration: StereoCalibration) -> Version:
        """Keep a calibration under the next number; it is not put to use."""
        temporary = self.folder / f".roma-{secrets.token_hex(6)}.yaml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_calibration(temporary, calibration)
            number = self._link_next(temporary)
        except OSError as error:
            raise self._failed("write", error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return self.version(number)

    def use(self, number: int) -> Version:
        """Put a version to use."""
        with self._locked():
            self.version(number)
            self._write_history([*self._history(), number])
            return self.version(number)

    def rollback(self) -> Version:
        """Go back to the version that was in use before the present one."""
        with self._locked():
            return self._roll_back()

    def _roll_back(self) -> Version:
        history = self._history()
        earlier = [number for number in history if number != history[-1]] if history else []
        if not earlier:
            raise CalibrationError(f"no other version was in use before, in {self.folder}", exit_code=os.EX_NOINPUT)
        while history[-1] != earlier[-1]:
            history.pop()
        self._write_history(history)
        return self.version(history[-1])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the history: of two programs that add a line at once, one would lose it."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # what comes next says what is wrong with the folder
            yield
            return
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _link_next(self, temporary: Path) -> int:
        """A hard link fails where the name is taken: two programs at once cannot overwrite each other."""
        number = max((version.number for version in self.versions()), default=0)
        while True:
            number += 1
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self.folder / f"{number:04}.yaml")
                return number

    def _history(self) -> list[int]:
        try:
            words = (self.folder / HISTORY).read_text(encoding="ascii", errors="replace").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed("read", error) from error
        return [int(word) for word in words if _NUMBER.fullmatch(word) or _SHORT.fullmatch(word)]

    def _write_history(self, numbers: list[int]) -> None:
        try:
            write_atomic(self.folder / HISTORY, "".join(f"{number}\n" for number in numbers).encode("ascii"))
        except OSError as error:
            raise self._failed("write", error) from error

    def _failed(self, what: str, error: OSError) -> CalibrationError:
        message = f"cannot {what} the stored calibrations in {self.folder}: {error.strerror}"
        return CalibrationError(message, exit_code=write_exit_code(error))
