"""Version store of a rig's calibrations: every one is kept, none is overwritten."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from .errors import CalibrationError
from .formats.exchange import load_calibration
from .formats.own import save_calibration
from .rig import StereoCalibration
from .storage.owner import acting_as_owner
from .storage.state_folder import state_folder
from .storage.version_folder import VersionFolder

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
    """Where versions are kept."""
    return state_folder() / "calibration"


class CalibrationStore:
    """A folder with ``0001.yaml``, ``0002.yaml``... and the history of their use.

    Every method raises CalibrationError where the folder cannot be read or written, or a version is not there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder
        self.kept = VersionFolder(self.folder, ".yaml", "calibrations", CalibrationError)

    def versions(self) -> list[Version]:
        """All of them, oldest first."""
        used = self.kept.current()
        return [Version(number, self.kept.path(number), number == used) for number in self.kept.numbers()]

    def version(self, number: int) -> Version:
        self.kept.check(number)
        return Version(number, self.kept.path(number), number == self.kept.current())

    def current(self) -> Version | None:
        """The version in use, None where there is none."""
        return next((version for version in self.versions() if version.in_use), None)

    def add(self, calibration: StereoCalibration) -> Version:
        """Keep a calibration under the next number; it is not put to use."""
        temporary = self.folder / f".roma-{secrets.token_hex(6)}.yaml"
        try:
            with acting_as_owner(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                save_calibration(temporary, calibration)
                number = self.kept.commit(temporary)
        except OSError as error:
            raise self.kept.failed("write", error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return self.version(number)

    def use(self, number: int) -> Version:
        """Put a version to use."""
        with acting_as_owner(self.folder):
            self.kept.use(number)
        return self.version(number)

    def rollback(self) -> Version:
        """Go back to the version that was in use before the present one."""
        with acting_as_owner(self.folder):
            number = self.kept.roll_back()
        assert number is not None
        return self.version(number)
