"""``roma-device verify``: which test vectors, which engine, which limits."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import RomaError
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions, Precision, check_size

from .compare import VerifyReport, verify
from .limits import LimitChoice
from .test_vectors import REFERENCE_ENGINE, VectorFolder, VectorSource, make_test_vectors

FAILED = 1
"""Exit code of a verification that ran and did not pass."""


@dataclass(frozen=True, slots=True)
class VerifyChoice:
    """What the user asked for."""

    bundle: str
    engine: str | None = None  # None: auto, or the reference engine where vectors are made
    threads: int = 0
    precision: Precision = "auto"
    size: Size | None = None  # for models of open size; None: the model's own
    vectors: Path | None = None  # None: made for this one run
    make_vectors: Path | None = None
    count: int = 4
    reference: str | None = None  # bundle whose ONNX file gives the reference; None: the one to verify


@dataclass(frozen=True, slots=True)
class VectorsMade:
    """What ``--make-vectors`` reports."""

    folder: VectorFolder
    engine: str

    def as_text(self) -> str:
        return f"  {len(self.folder.names)} vectors in {self.folder.root}, reference: {self.engine}"

    def as_json(self) -> dict[str, object]:
        return {"vectors": str(self.folder.root), "count": len(self.folder.names), "reference": self.engine}


def verify_command(choice: VerifyChoice, limits: LimitChoice) -> tuple[VectorsMade | VerifyReport, int]:
    """The report and the exit code; raises a RomaError with one sentence for whatever cannot be used."""
    if choice.vectors is not None and choice.make_vectors is not None:
        message = "give --vectors to verify or --make-vectors to write some, not both"
        raise RomaError(message, exit_code=os.EX_USAGE)
    card = find_model(choice.bundle)
    options = EngineOptions(_size(card, choice.size), threads=choice.threads, precision=choice.precision)
    if choice.make_vectors is not None:
        source = VectorSource(find_model(choice.reference or choice.bundle), choice.engine or REFERENCE_ENGINE)
        folder = make_test_vectors(card, choice.make_vectors, options, choice.count, source)
        return VectorsMade(folder, source.engine), os.EX_OK
    report = _verified(card, choice, options, limits)
    return report, FAILED if report.failures else os.EX_OK


def _verified(card: ModelCard, choice: VerifyChoice, options: EngineOptions, limits: LimitChoice) -> VerifyReport:
    engine = choice.engine or "auto"
    if choice.vectors is not None:
        return verify(card, engine, options, VectorFolder.open(choice.vectors), limits)
    source = VectorSource(find_model(choice.reference or choice.bundle))
    with tempfile.TemporaryDirectory(prefix="roma-vectors-") as folder:
        vectors = make_test_vectors(card, Path(folder), options, choice.count, source)
        return verify(card, engine, options, vectors, limits)


def _size(card: ModelCard, size: Size | None) -> Size:
    """Width and height of the network's input."""
    size = size or card.fixed_size() or card.default_size
    check_size(card, size)
    return size
