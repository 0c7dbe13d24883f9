"""The two shared libraries of the on-board runtime: loaded, started by the first engine, ended by the last."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines.ax import abi as abi
from roma_device.runtime.engines.vendor import LibrarySpec, SharedState, VendorLibrary, load_library

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


_SHARED = SharedState()


def start_runtime(libraries: AxLibraries, wanted: str, stack: ExitStack) -> str:
    """Initialize system and NPU, undone by ``stack``; returns the NPU's mode by its name in MODES.

    The mode holds for the whole board: one that another process has set is taken over, and a different
    ``wanted`` one refused. Raises EngineError.
    """
    sys, engine = libraries.sys, libraries.engine
    _SHARED.use(stack, "sys", lambda: sys.check_opening("ax", "AX_SYS_Init"), lambda: sys.release("AX_SYS_Deinit"))
    name = _choose_mode(libraries, wanted)
    attributes = abi.NpuAttr(eHardMode=MODES[libraries.chip].get(name, 0))
    _SHARED.use(
        stack,
        "npu",
        lambda: engine.check("AX_ENGINE_Init", ctypes.byref(attributes)),
        lambda: engine.release("AX_ENGINE_Deinit"),
    )
    return name


def _choose_mode(libraries: AxLibraries, wanted: str) -> str:
    modes, found = MODES[libraries.chip], _mode_in_use(libraries)
    if wanted != "auto" and wanted not in modes:
        known = ", ".join(["auto", *modes])
        raise EngineError(f"npu.mode is {wanted}: {libraries.chip} knows {known}", exit_code=os.EX_USAGE)
    if found is None:
        return "disable" if wanted == "auto" else wanted
    if wanted not in ("auto", found):
        raise EngineError(
            f"the NPU is in mode {found}, which another program chose, and npu.mode asks for {wanted}: "
            "end that program, or set npu.mode to auto"
        )
    return found


def _mode_in_use(libraries: AxLibraries) -> str | None:
    """None where nobody has initialized the NPU, which the runtime reports as an error."""
    attributes = abi.NpuAttr()
    if libraries.engine.value("AX_ENGINE_GetVNPUAttr", ctypes.byref(attributes)):
        return None
    names = {number: name for name, number in MODES[libraries.chip].items()}
    if attributes.eHardMode not in names:
        raise EngineError(f"the NPU is in mode {attributes.eHardMode}, which is not known of {libraries.chip}")
    return names[attributes.eHardMode]
