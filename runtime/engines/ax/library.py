"""Loader of the two shared libraries of the on-board runtime, and what they tell of chip and SDK."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines.vendor import LibrarySpec, VendorLibrary, load_library

from . import abi as abi

Chip = Literal["AX650", "AX620E", "M57H"]

MODES: dict[Chip, dict[str, int]] = {
    "AX650": {"disable": 0, "enable": 1, "big_little": 2, "little_big": 3},
    "AX620E": {"disable": 0, "enable": 1},
    "M57H": {"disable": 0},
}
"""Division of the cores into virtual NPUs: name in the settings -> eHardMode."""

MODEL_TYPES: dict[Chip, tuple[str, ...]] = {
    "AX650": ("1 Core", "2 Core", "3 Core"),
    "AX620E": ("Half Core", "Full Core"),
    "M57H": ("1 Core",),
}
"""What a model was compiled for, by its type number, in the words of the vendor's tools."""


@dataclass(frozen=True, slots=True)
class AxLibraries:
    """``libax_sys.so`` and ``libax_engine.so`` of one SDK."""

    sys: VendorLibrary
    engine: VendorLibrary

    @property
    def chip(self) -> Chip:
        """The family, by functions that only some engines have; as genuine libraries differ in their exports."""
        if not self.engine.has("AX_ENGINE_SetAffinity"):
            return "M57H"
        return "AX620E" if self.engine.has("AX_ENGINE_GetTotalOps") else "AX650"

    @property
    def version(self) -> str:
        """Of the engine, such as "2.7.2a"."""
        text: bytes | None = self.engine.value("AX_ENGINE_GetVersion")
        return (text or b"unknown").decode(errors="replace")


def load_libraries(folder: Path | None) -> AxLibraries:
    """Load both from ``folder``, or from where they are found; no device is touched.

    Raises EngineError in one sentence for what is missing.
    """
    return AxLibraries(_load(abi.SYS, folder), _load(abi.ENGINE, folder))


def _load(spec: LibrarySpec, folder: Path | None) -> VendorLibrary:
    library = load_library(spec, folder)
    missing = [name for name in spec.prototypes if name not in abi.OPTIONAL and not library.has(name)]
    if missing:
        raise EngineError(f"{spec.name} has no {', '.join(missing)}: it is too old or not the board's; {spec.install}")
    return library
