"""Packing of a bundle into one archive, the same bytes for the same files, and its sha256 for the installation."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

from roma_device.app.installed import InstallError
from roma_device.app.model_store import find_model
from roma_device.calibration.storage.files import read_bytes, write_bytes
from roma_device.runtime.card import CARD_NAME


def pack(bundle: str, output: Path) -> str:
    """Write ``bundle`` to the archive ``output``; its sha256. Raises ModelError for a file that is not the card's."""
    if output.exists():
        raise InstallError(f"{output} is there already: name another file", exit_code=os.EX_CANTCREAT)
    if output.suffix != ".tar":
        raise InstallError(f"{output}: the archive's name ends with .tar", exit_code=os.EX_USAGE)
    card = find_model(bundle)
    files = list(card.every_file.values())
    contents = {file.path.name: file.read() for file in files}
    contents = {CARD_NAME: read_bytes(files[0].path.parent / CARD_NAME), **contents}
    data = _archive(contents)
    write_bytes(output, data, "archive")
    return hashlib.sha256(data).hexdigest()


def _archive(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
