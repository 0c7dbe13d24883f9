"""A folder of numbered versions and the history of their use, whole after a kill at any moment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roma_device.calibration.errors import RomaError

from .files import flush_folder, write_atomic, write_exit_code

_NUMBER, _SHORT = re.compile(r"[0-9]{4,9}"), re.compile(r"[0-9]{1,3}")

HISTORY = "history"
"""File with the number of each version that was put to use, oldest first; the last one is in use."""

BEFORE = "history.before"
"""While a version is on trial: the history to go back to. A rename does it, for which a full disk has room."""

TRIAL = "trial.json"
"""The latest trial and what came of it; of no account unless it is of the version in use."""


@dataclass(frozen=True, slots=True)
class VersionFolder:
    """``0001``, ``0002``... with ``suffix``, files or folders, and which of them was used when.

    Every method raises ``error`` with one sentence where the folder cannot be read or written.
    """

    folder: Path
    suffix: str  # ".yaml", or "" of folders
    what: str  # "calibrations"
    error: type[RomaError]

    def numbers(self) -> list[int]:
        """All of them, oldest first."""
        names = (path.name.removesuffix(self.suffix) for path in self.folder.glob(f"*{self.suffix}"))
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def path(self, number: int) -> Path:
        return self.folder / f"{number:04}{self.suffix}"

    def check(self, number: int) -> None:
        """Raises where there is no such version."""
        if number in (numbers := self.numbers()):
            return
        known = ", ".join(map(str, numbers)) or "none yet"
        raise self.error(f"there is no version {number} in {self.folder}; known: {known}", exit_code=os.EX_NOINPUT)

    def current(self) -> int | None:
        """The version in use, None where there is none."""
        return next(iter(self.history()[-1:]), None)

    def commit(self, temporary: Path) -> int:
        """Give a file or folder, written as a whole, the next number; raises OSError.

        Neither a hard link nor the rename of a folder takes a name that is there: two programs at once cannot
        overwrite each other.
        """
        number = max((*self.numbers(), *self.history()), default=0)
        while True:
            number += 1
            with contextlib.suppress(FileExistsError):
                self._take_name(temporary, self.path(number))
                flush_folder(self.folder)
                return number

    def _take_name(self, temporary: Path, path: Path) -> None:
        if self.suffix:
            os.link(temporary, path)
        elif path.exists():
            raise FileExistsError
        else:
            temporary.rename(path)

    def use(self, number: int) -> None:
        """Put a version to use, for good."""
        with self.locked():
            self.check(number)
            self.forget_trial()
            self.write_history([*self.history(), number])

    def roll_back(self, *, to_none: bool = False) -> int | None:
        """Back to the version in use before the present one, the number of which is given.

        ``to_none``: before the first one there was none, and that is a way back too.
        """
        with self.locked():
            history = self.history()
            earlier = before(history)
            if not (earlier or (history and to_none)):
                raise self.error(f"no other version was in use before, in {self.folder}", exit_code=os.EX_NOINPUT)
            self.forget_trial()
            self.write_history(earlier)
            return next(iter(earlier[-1:]), None)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
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

    def history(self) -> list[int]:
        try:
            words = (self.folder / HISTORY).read_text(encoding="ascii", errors="replace").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self.failed("read", error) from error
        return [int(word) for word in words if _NUMBER.fullmatch(word) or _SHORT.fullmatch(word)]

    def write_history(self, numbers: list[int], name: str = HISTORY) -> None:
        try:
            write_atomic(self.folder / name, "".join(f"{number}\n" for number in numbers).encode("ascii"))
        except OSError as error:
            raise self.failed("write", error) from error

    def forget_trial(self) -> None:
        try:
            for name in (TRIAL, BEFORE):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self.failed("write", error) from error

    def failed(self, doing: str, error: OSError) -> RomaError:
        message = f"cannot {doing} the stored {self.what} in {self.folder}: {error.strerror}"
        return self.error(message, exit_code=write_exit_code(error))


def before(history: list[int]) -> list[int]:
    """The history up to the version in use before the last one; empty where there was none."""
    earlier = history.copy()
    while earlier[-1:] and earlier[-1:] == history[-1:]:
        earlier.pop()
    return earlier
