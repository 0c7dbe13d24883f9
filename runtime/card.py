"""The card of a model bundle: what its files expect and promise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from roma_device.calibration.errors import RomaError

CARD_NAME = "card.yaml"
Normalization = Literal["in_graph", "preprocess", "none"]
_NORMALIZATIONS = ("in_graph", "preprocess", "none")
_TASKS = ("stereo", "two_view")
_KEYS = {
    "name",
    "task",
    "files",
    "inputs",
    "outputs",
    "normalization",
    "convention",
    "size_multiple",
    "default_size",
    "min_confidence",
    "trained_on",
    "measured",
}


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
            raise ModelError(f"{self.path}: cannot read the model ({error.strerror})", exit_code=os.EX_NOINPUT) from None
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
    task: Literal["stereo", "two_view"]
    files: Mapping[str, ModelFile]  # format ("onnx", "axmodel", ...) -> file
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    normalization: Normalization
    convention: str  # pixel convention of the outputs
    size_multiple: int = 32  # width and height must be multiples of it
    default_size: tuple[int, int] = (640, 320)  # width, height
    min_confidence: float = 0.0  # default threshold on the certainty
    trained_on: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)

    def fixed_size(self) -> tuple[int, int] | None:
        """Width and height of the input where the model has only one, else None."""
        height, width = self.inputs[0].shape[-2:]
        return None if height is None or width is None else (width, height)


def load_card(bundle: Path) -> ModelCard:
    """Read the card of the bundle folder ``bundle``; raises ModelError with the file and the key at fault."""
    path = bundle / CARD_NAME
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot read the card ({error.strerror})", exit_code=os.EX_NOINPUT) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return _card(raw, bundle)
    except KeyError as error:
        raise ModelError(f"{path}: key {error} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: {error}") from None


def _card(raw: Any, bundle: Path) -> ModelCard:
    if not isinstance(raw, dict):
        raise ValueError("the card must be a mapping of keys to values")
    if unknown := sorted(set(map(str, raw)) - _KEYS):
        raise ValueError(f"unknown key {unknown[0]!r}; known keys: {', '.join(sorted(_KEYS))}")
    width, height = map(int, raw.get("default_size", (640, 320)))
    return ModelCard(
        name=str(raw["name"]),
        task=_one_of(raw["task"], _TASKS, "task"),
        files={
            str(kind): ModelFile(bundle / str(entry["file"]), str(entry["sha256"]))
            for kind, entry in raw["files"].items()
        },
        inputs=tuple(map(_tensor, raw["inputs"])),
        outputs=tuple(map(_tensor, raw["outputs"])),
        normalization=_one_of(raw["normalization"], _NORMALIZATIONS, "normalization"),
        convention=str(raw["convention"]),
        size_multiple=int(raw.get("size_multiple", 32)),
        default_size=(width, height),
        min_confidence=float(raw.get("min_confidence", 0.0)),
        trained_on=str(raw.get("trained_on", "")),
        measured=dict(raw.get("measured", {})),
    )


def _tensor(raw: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(None if size is None else int(size) for size in raw["shape"])
    return TensorSpec(str(raw["name"]), shape, str(raw.get("dtype", "float32")))


def _one_of(value: Any, allowed: tuple[str, ...], key: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{key} is {value!r}; it must be one of {', '.join(allowed)}")
    return value
