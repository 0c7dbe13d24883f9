"""The card of a model bundle: what its files expect and promise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from roma_device.calibration.errors import RomaError
from roma_device.calibration.section import Section, read_section

CARD_NAME = "card.yaml"
DTYPES = ("float32",)
Normalization = Literal["in_graph", "preprocess", "none"]
Task = Literal["stereo", "two_view"]


class ModelError(RomaError):
    """A model bundle that cannot be used as it is."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output; a dimension of None may have any size."""

    name: str
    shape: tuple[int | None, ...]  # NCHW
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a bundle and the sha256 that it must have."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """The file's bytes; raises ModelError where it is missing or not the file that the card names."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{self.path}: cannot read the model ({error.strerror})", exit_code=os.EX_NOINPUT
            ) from None
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise ModelError(
                f"{self.path}: sha256 is {digest[:12]}..., its card says {self.sha256[:12]}...: "
                "the file is damaged or not the one that the card describes; install the bundle again"
            )
        return data


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a model that the program relies on; read from ``card.yaml`` in its bundle."""

    name: str
    task: Task
    files: Mapping[str, ModelFile]  # format ("onnx", "axmodel", ...) -> file
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    normalization: Normalization
    convention: str  # pixel convention of the outputs
    size_multiple: int = 32  # width and height must be multiples of it
    default_size: tuple[int, int] = (640, 320)  # width, height
    min_confidence: float = 0.0  # default threshold on the certainty
    trained_on: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)

    def fixed_size(self) -> tuple[int, int] | None:
        """Width and height of the input where the model has only one, else None."""
        height, width = self.inputs[0].shape[-2:]
        return None if height is None or width is None else (width, height)


def load_card(bundle: Path) -> ModelCard:
    """Read the card of the bundle folder ``bundle``; raises ModelError with file, line and key at fault."""
    top = read_section(bundle / CARD_NAME, "model card", ModelError)
    width, height = top.numbers("default_size", 2)
    card = ModelCard(
        name=top.text("name"),
        task=cast(Task, top.choice("task", get_args(Task))),
        files=_files(top.section("files"), bundle),
        inputs=tuple(map(_tensor, top.sections("inputs"))),
        outputs=tuple(map(_tensor, top.sections("outputs"))),
        normalization=cast(Normalization, top.choice("normalization", get_args(Normalization))),
        convention=top.text("convention"),
        size_multiple=int(top.number("size_multiple")),
        default_size=(int(width), int(height)),
        min_confidence=top.number("min_confidence", 0.0),
        trained_on=top.text("trained_on", ""),
        measured=top.section("measured").rest() if "measured" in top.untaken() else {},
    )
    top.finish()
    return card


def _files(section: Section, bundle: Path) -> dict[str, ModelFile]:
    files = {}
    for kind in section.untaken():
        entry = section.section(kind)
        files[kind] = ModelFile(bundle / entry.text("file"), entry.text("sha256"))
        entry.finish()
    return files


def _tensor(section: Section) -> TensorSpec:
    """Dimensions of -1 are open."""
    shape = tuple(None if size < 0 else int(size) for size in section.numbers("shape"))
    spec = TensorSpec(section.text("name"), shape, section.choice("dtype", DTYPES))
    section.finish()
    return spec
