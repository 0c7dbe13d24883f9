"""Installed settings: numbered versions, and the file that the service reads where none is in use."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from roma_device.calibration.storage.files import write_atomic
from roma_device.calibration.storage.state_folder import state_folder
from roma_device.calibration.storage.version_folder import VersionFolder

from . import INSTALLED, InstallError
from .trial import Slot

SERVICE_SETTINGS = Path("/etc/roma-device/config.yaml")


class InstalledSettings:
    """The folder of installed settings; raises InstallError where it cannot be read or written."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = state_folder() / "settings" if folder is None else folder
        self.kept = VersionFolder(self.folder, ".yaml", "settings", InstallError)
        self.slot = Slot("settings", self.kept)

    def path(self) -> Path:
        """The file of the version in use, else the service's own."""
        number = self.kept.current()
        if number is None:
            return SERVICE_SETTINGS
        self.kept.check(number)
        return self.kept.path(number)

    def add(self, content: bytes) -> int:
        """Keep settings under the next number, or find them among those there are; they are not put to use."""
        for number in self.kept.numbers():
            if self.kept.path(number).read_bytes() == content:
                return number
        temporary = self.folder / f".roma-{secrets.token_hex(6)}.yaml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(temporary, content)
            return self.kept.commit(temporary)
        except OSError as error:
            raise self.kept.failed("write", error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def settings_path(named: Path) -> Path:
    """The file itself; for ``installed`` that of the version in use. Raises InstallError."""
    return InstalledSettings().path() if str(named) == INSTALLED else named
