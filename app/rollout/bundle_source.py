"""A model bundle to install, from a folder, an archive or a URL: open files by name, before anything is written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Any

from roma_device.app.installed import InstallError
from roma_device.app.installed.models import MANIFEST
from roma_device.calibration.storage.files import read_exit_code
from roma_device.runtime.card import CARD_NAME, load_card
from roma_device.runtime.model_file import MOST_MODEL_BYTES

from .download import download, is_url

MOST_FILES = 64
BLOCK_BYTES = 1 << 20
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What Python's archives raise for torn, encrypted and odd ones, besides OSError."""

Files = Mapping[str, IO[bytes]]


@contextlib.contextmanager
def open_bundle(source: str, sha256: str | None) -> Iterator[Files]:
    """The files of the bundle ``source`` by their names; raises InstallError.

    ``sha256`` is that of the archive; a URL needs it, so that the way need not be trusted.
    """
    _check_sha256(source, sha256)
    with ExitStack() as stack:
        if is_url(source):
            yield _archive(stack.enter_context(download(source)), source, sha256, stack)
        elif Path(source).is_dir():
            yield _folder(Path(source), stack)
        else:
            yield _archive(_opened(Path(source), stack), source, sha256, stack)


def _check_sha256(source: str, sha256: str | None) -> None:
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InstallError(
            lambda option: f"{option('sha256')}: 64 hexadecimal digits are wanted", exit_code=os.EX_USAGE
        )
    if sha256 is None and is_url(source):
        raise InstallError(
            lambda option: (
                f"{source}: a URL needs {option('sha256', 'HEX')}, which `roma-device model pack` prints: "
                "whoever can change what comes over the network could have the device run his model"
            ),
            exit_code=os.EX_USAGE,
        )
    if sha256 is not None and not is_url(source) and Path(source).is_dir():
        raise InstallError(
            lambda option: f"{source} is a folder: {option('sha256')} is for an archive", exit_code=os.EX_USAGE
        )


def _opened(path: Path, stack: ExitStack) -> IO[bytes]:
    try:
        file = stack.enter_context(os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"))
    except OSError as error:
        message = f"{path}: cannot read it ({error.strerror}): give a bundle's folder, archive or URL"
        raise InstallError(message, exit_code=read_exit_code(error)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise InstallError(f"{path}: this is no file", exit_code=os.EX_NOINPUT)
    return file


def _folder(folder: Path, stack: ExitStack) -> Files:
    """The card and what it names: all else in the folder stays there."""
    if not (folder / CARD_NAME).is_file():
        raise InstallError(f"{folder}: the folder has no {CARD_NAME}", exit_code=os.EX_NOINPUT)
    names = [CARD_NAME]
    for file in load_card(folder).every_file.values():
        if file.path.parent != folder or not SAFE_NAME.fullmatch(file.path.name):
            raise InstallError(f"{folder / CARD_NAME}: {file.path}: files of a bundle lie beside its card")
        names.append(file.path.name)
    return {name: _opened(folder / name, stack) for name in names}


def _archive(file: IO[bytes], source: str, sha256: str | None, stack: ExitStack) -> Files:
    if sha256 is not None:
        digest = _sha256(file)
        if digest != sha256.lower():
            raise InstallError(f"{source}: its sha256 is {digest}, not the {sha256.lower()} that was asked for")
    try:
        if zipfile.is_zipfile(file):
            members = _members_of_zip(stack.enter_context(zipfile.ZipFile(file)), source)
        else:
            file.seek(0)
            archive = tarfile.open(fileobj=file)  # noqa: SIM115
            members = _members_of_tar(stack.enter_context(archive), source)
    except (*BROKEN, OSError) as error:
        raise torn(source, error) from None
    if CARD_NAME not in members:
        raise InstallError(f"{source}: the archive has no {CARD_NAME}, on top or in its one folder")
    return members


def torn(source: object, error: Exception) -> InstallError:
    why = str(error) or "it ends too early"
    return InstallError(
        f"{source}: no whole archive (.tar, .tar.gz, .tar.xz or .zip) with a bundle ({why}): "
        "it is torn or something else; fetch it again"
    )


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _members_of_tar(archive: tarfile.TarFile, source: str) -> Files:
    members: dict[str, IO[bytes]] = {}
    for member in archive:
        if member.isdir():
            continue
        opened: Any = archive.extractfile(member) if member.isreg() else None
        if opened is None:
            raise InstallError(f"{source}: {member.name!r} is no plain file: links have no place in a bundle")
        _add(members, member.name, opened, member.size, source)
    return members


def _members_of_zip(archive: zipfile.ZipFile, source: str) -> Files:
    members: dict[str, IO[bytes]] = {}
    for member in archive.infolist():
        if not member.is_dir():
            _add(members, member.filename, archive.open(member), member.file_size, source)
    return members


def _add(members: dict[str, IO[bytes]], path: str, file: IO[bytes], size: int, source: str) -> None:
    """Names only: no path of an archive leads out of the folder of the bundle."""
    name = PurePosixPath(path).name
    if name == MANIFEST:
        return
    if not SAFE_NAME.fullmatch(name) or name in members or ".." in PurePosixPath(path).parts:
        raise InstallError(f"{source}: {path!r} is a name that a bundle cannot have, or has twice")
    if len(members) >= MOST_FILES or size > MOST_MODEL_BYTES:
        raise InstallError(f"{source}: more than {MOST_FILES} files, or one of more than 1 GiB, are no bundle")
    members[name] = file
