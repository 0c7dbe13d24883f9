"""Installation of a model: copied whole, checked against its card, verified on this machine's engine, then stored."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from loguru import logger

from roma_device.app.installed import InstallError
from roma_device.app.installed.models import InstalledModels, Manifest, read_manifest
from roma_device.app.verify.command import VerifyChoice, verify_command
from roma_device.app.verify.compare import VerifyReport
from roma_device.app.verify.limits import LimitChoice
from roma_device.calibration.storage.files import write_exit_code
from roma_device.calibration.storage.owner import acting_as_caller, acting_as_owner
from roma_device.runtime.card import CARD_NAME, ModelCard, ModelError, load_card

from .bundle_source import BLOCK_BYTES, BROKEN, Files, open_bundle, torn

MOST_BYTES = 2 << 30
"""A bundle as a whole; an archive may promise little and hold much."""


@dataclass(frozen=True, slots=True)
class NewModel:
    """What was installed."""

    number: int
    manifest: Manifest
    is_new: bool  # False: the same bundle was there already

    def as_text(self) -> str:
        verified = self.manifest.verified
        checked = f"verified on {verified['engine']}" if verified else "not verified"
        there = "stored as" if self.is_new else "is there already, as"
        return f"{self.manifest.name} ({checked}) {there} version {self.number}"


def install_model(source: str, sha256: str | None, choice: VerifyChoice | None) -> NewModel:
    """Store the bundle ``source`` as a new version; it is not put to use.

    ``choice`` says how it is verified, None: not at all. Raises InstallError, ModelError and what ``verify`` raises;
    then nothing is left of it.
    """
    store = InstalledModels()
    with open_bundle(source, sha256) as files, acting_as_owner(store.folder), store.staging() as staged:
        digests = _copy_all(files, staged, source)
        card = _checked_card(staged, source)
        digests = {name: digests[name] for name in _names(card)}
        for name in set(files) - set(digests):
            (staged / name).unlink()
        with acting_as_caller():
            verified = {} if choice is None else _verified(card, replace(choice, bundle=str(staged)))
        manifest = Manifest(card.name, card.task, digests, source, _now(), verified)
        number = _same(store, manifest)
        if number is not None:
            return NewModel(number, manifest, is_new=False)
        return NewModel(store.commit(staged, manifest), manifest, is_new=True)


def _copy_all(files: Files, folder: Path, source: str) -> dict[str, str]:
    """Name -> sha256 of what reached the disk."""
    left, digests = MOST_BYTES, {}
    for name, file in files.items():
        try:
            digests[name], size = _copy(file, folder / name, left)
        except BROKEN as error:
            raise torn(source, error) from None
        except OSError as error:
            message = f"{source}: cannot be copied to {folder.parent} ({error.strerror or error})"
            raise InstallError(message, exit_code=write_exit_code(error)) from None
        left -= size
        if left <= 0:
            raise InstallError(f"{source}: more than {MOST_BYTES >> 30} GiB are no bundle")
    return digests


def _copy(file: IO[bytes], path: Path, most_bytes: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as copy:
        while size < most_bytes and (block := file.read(BLOCK_BYTES)):
            copy.write(block)
            digest.update(block)
            size += len(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest(), size


def _names(card: ModelCard) -> list[str]:
    return [CARD_NAME, *(file.path.name for file in card.every_file.values())]


def _checked_card(staged: Path, source: str) -> ModelCard:
    """The card, after every file that it names was read and has its sha256; sentences name the source."""
    try:
        card = load_card(staged)
        for file in card.every_file.values():
            if file.path.parent != staged:
                raise ModelError(f"{staged / CARD_NAME}: {file.path}: files of a bundle lie beside its card")
            file.read()
    except ModelError as error:
        sentence = str(error).replace(f"{staged}/", "").replace("; install the bundle again", "")
        raise InstallError(f"{source}: {sentence}", exit_code=error.exit_code) from None
    return card


def _verified(card: ModelCard, choice: VerifyChoice) -> dict[str, Any]:
    """Raises InstallError for a model that computes something else on this machine than its reference."""
    if choice.reference is None and choice.vectors is None and not all("onnx" in graph.files for graph in card.graphs):
        raise InstallError(
            lambda option: (
                f"model {card.name} has no ONNX file to verify it by: give {option('reference', 'BUNDLE')} with the "
                f"model that it was compiled from, or {option('vectors', 'FOLDER')}"
            ),
            exit_code=os.EX_USAGE,
        )
    logger.info("verifying {} on this machine's engine", card.name)
    report, _ = verify_command(choice, LimitChoice())
    assert isinstance(report, VerifyReport)
    if report.failures:
        raise InstallError(f"model {card.name} fails its verification on this machine: {'; '.join(report.failures)}")
    return {"engine": report.header.get("engine", ""), "at": _now()}


def _same(store: InstalledModels, manifest: Manifest) -> int | None:
    for number in store.kept.numbers():
        try:
            if read_manifest(store.kept.path(number)).files == manifest.files:
                return number
        except InstallError:
            continue
    return None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
