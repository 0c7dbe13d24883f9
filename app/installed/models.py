"""Installed model bundles: each version a folder with its card, its files and a manifest of their sha256."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roma_device.calibration.storage.files import flush_folder, read_regular, write_atomic
from roma_device.calibration.storage.state_folder import state_folder
from roma_device.calibration.storage.version_folder import VersionFolder

from . import InstallError
from .trial import Slot

MANIFEST = "manifest.json"
STAGING = ".roma-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of an installed bundle besides its card."""

    name: str
    task: str
    files: Mapping[str, str]  # name -> sha256, the card's too
    source: str
    installed_at: str
    verified: Mapping[str, Any]  # engine, precision, passed or why it was not verified

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "task": self.task,
            "files": dict(self.files),
            "source": self.source,
            "installed_at": self.installed_at,
            "verified": dict(self.verified),
        }


def read_manifest(bundle: Path) -> Manifest:
    """Raises InstallError where it is missing or damaged."""
    path = bundle / MANIFEST
    try:
        values = json.loads(read_regular(path, 1 << 20))
        return Manifest(**{key: values[key] for key in Manifest.__slots__})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(f"{path}: the manifest cannot be read ({error}): install the bundle again") from None


def check_files(bundle: Path, manifest: Manifest, names: list[str] | None = None) -> None:
    """Raises InstallError where a file, of ``names`` or of all, is not what was installed."""
    for name in manifest.files if names is None else names:
        try:
            digest = hashlib.sha256(read_regular(bundle / name, 1 << 30)).hexdigest()
        except OSError as error:
            raise InstallError(
                f"{bundle / name}: cannot read it ({error.strerror}): install the bundle again", exit_code=os.EX_NOINPUT
            ) from None
        if digest != manifest.files.get(name):
            raise InstallError(
                f"{bundle / name}: its sha256 is not that of the installed file: it is damaged or was changed; "
                "install the bundle again"
            )


class InstalledModels:
    """The folder of installed bundles; raises InstallError where it cannot be read or written."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = state_folder() / "models" if folder is None else folder
        self.kept = VersionFolder(self.folder, "", "models", InstallError)
        self.slot = Slot("model", self.kept)

    def bundle(self, number: int | None = None) -> Path | None:
        """Folder of a version, by default of the one in use; None where none is in use. Its card is whole."""
        number = self.kept.current() if number is None else number
        if number is None:
            return None
        self.kept.check(number)
        bundle = self.kept.path(number)
        check_files(bundle, read_manifest(bundle), ["card.yaml"])  # the card knows the sha256 of all others
        return bundle

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A new folder that vanishes unless ``commit`` takes it; those that a kill left behind go now."""
        folder = self.folder / f"{STAGING}{secrets.token_hex(6)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.kept.locked():
                self.sweep()
                folder.mkdir()
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise self.kept.failed("write", error) from error
        try:
            yield folder
        finally:
            os.close(descriptor)
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Take away what a kill left: who stages a folder holds a lock of it, who writes a file that of the whole."""
        for file in self.folder.glob(f"{STAGING}*.tmp"):
            with contextlib.suppress(OSError):
                file.unlink()
        for folder in self.folder.glob(f"{STAGING}*"):
            with contextlib.suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
                finally:
                    os.close(descriptor)

    def commit(self, staged: Path, manifest: Manifest) -> int:
        """Make what is staged the next version, whole and on the disk; it is not put to use."""
        try:
            write_atomic(staged / MANIFEST, json.dumps(manifest.as_json(), indent=1).encode() + b"\n")
            flush_folder(staged)
            with self.kept.locked():
                return self.kept.commit(staged)
        except OSError as error:
            raise self.kept.failed("write", error) from error

    def remove(self, number: int) -> None:
        """Take a version away for good; the one in use, and the one to go back to, stay."""
        with self.kept.locked():
            self.kept.check(number)
            history = self.kept.history()
            way_back = [other for other in history if other != self.kept.current()][-1:]
            if number in (*history[-1:], *way_back):
                what = "in use" if number == self.kept.current() else "what a rollback goes back to"
                raise InstallError(f"version {number} is {what}: it stays", exit_code=os.EX_USAGE)
            self.kept.write_history([other for other in history if other != number])
            doomed = self.folder / f"{STAGING}{secrets.token_hex(6)}"
            try:
                self.kept.path(number).rename(doomed)
                shutil.rmtree(doomed)
            except OSError as error:
                raise self.kept.failed("write", error) from error
