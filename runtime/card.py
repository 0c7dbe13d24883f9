"""The card of a model bundle: what its files expect and promise."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_regular
from roma_device.calibration.storage.yaml_section import Section, read_section

CARD_NAME = "card.yaml"
MOST_MODEL_BYTES = 1 << 30
DTYPES: dict[str, npt.DTypeLike] = {
    "float32": np.float32,
    "uint8": np.uint8,
    "int8": np.int8,
    "uint16": np.uint16,
    "int16": np.int16,
    "bfloat16": np.uint16,
}
"""Type in a card -> numpy's type of the engine's array; bfloat16 is its bits, see ``bfloat16.py``."""

STRIDES = ("1", "2", "4", "8")

Normalization = Literal["in_graph", "preprocess", "none"]
Task = Literal["stereo", "two_view"]
Layout = Literal["NCHW", "NHWC", "NV12"]


class ModelError(RomaError):
    """A model bundle that cannot be used as it is."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output; a dimension of None may have any size."""

    name: str
    shape: tuple[int | None, ...]  # in the order of ``layout``
    dtype: str = "float32"
    layout: Layout = "NCHW"  # NV12: (1, H * 3 / 2, W, 1), the grey rows above those of colour
    stride: int = 1  # input px per value, along both axes; for outputs

    @property
    def size(self) -> Size | None:
        """Width and height of the image, None where they are open."""
        height, width = self.shape[-2:] if self.layout == "NCHW" else self.shape[1:3]
        if height is None or width is None:
            return None
        return Size(width, height * 2 // 3 if self.layout == "NV12" else height)

    @property
    def storage(self) -> np.dtype[Any]:
        """What the engine's array consists of."""
        return np.dtype(DTYPES[self.dtype])

    def shape_at(self, size: Size) -> tuple[int, ...]:
        """The shape for an input of ``size``: open dimensions get their value."""
        width, height = size[0] // self.stride, size[1] // self.stride
        open_sizes = {
            "NCHW": (1,) * (len(self.shape) - 2) + (height, width),
            "NHWC": (1, height, width, 1),
            "NV12": (1, height * 3 // 2, width, 1),
        }[self.layout]
        return tuple(opened if known is None else known for known, opened in zip(self.shape, open_sizes, strict=True))


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a bundle and the sha256 that it must have."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """The file's bytes; raises ModelError where it is missing or not the file that the card names."""
        try:
            data = read_regular(self.path, MOST_MODEL_BYTES)
        except OSError as error:
            raise self._unreadable(error) from None
        self._check(data)
        return data

    def mapped(self) -> Image:
        """The same as (bytes,) uint8 in a read-only mapping, which ends with the array: large files stay on disk."""
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EISDIR, "it is no file")
            empty = found.st_size == 0  # which cannot be mapped
            data = np.zeros(0, np.uint8) if empty else np.memmap(self.path, np.uint8, mode="r")
        except OSError as error:
            raise self._unreadable(error) from None
        self._check(data.data)
        return data

    def _unreadable(self, error: OSError) -> ModelError:
        return ModelError(f"{self.path}: cannot read the model ({error.strerror})", exit_code=os.EX_NOINPUT)

    def _check(self, data: bytes | memoryview) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise ModelError(
                f"{self.path}: sha256 is {digest[:12]}..., its card says {self.sha256[:12]}...: "
                "the file is damaged or not the one that the card describes; install the bundle again"
            )


DEFAULT_SIZE = Size(640, 320)


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
    default_size: Size = DEFAULT_SIZE
    min_confidence: float = 0.0  # default threshold on the certainty
    tolerated_vertical_px: float = 0.0  # rows by which left and right may differ, input px; 0: not measured
    trained_on: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)

    def fixed_size(self) -> Size | None:
        """Width and height of the input where the model has only one, else None."""
        return self.inputs[0].size


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
        default_size=Size(int(width), int(height)),
        min_confidence=top.number("min_confidence", 0.0),
        tolerated_vertical_px=top.number("tolerated_vertical_px", 0.0),
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
    dtype = section.choice("dtype", tuple(DTYPES))
    layout = cast(Layout, section.choice("layout", get_args(Layout))) if "layout" in section.untaken() else "NCHW"
    stride = int(section.choice("stride", STRIDES)) if "stride" in section.untaken() else 1
    spec = TensorSpec(section.text("name"), shape, dtype, layout, stride)
    section.finish()
    return spec
