"""Reference-counted initialization of the board's runtime: by the first engine, given back by the last."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack

from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines.shared_state import SharedState

from . import abi as abi
from .library import MODES, AxLibraries

_SHARED = SharedState()


def start_runtime(libraries: AxLibraries, wanted: str, stack: ExitStack) -> str:
    """Initialize system and NPU, undone by ``stack``; returns the NPU's mode by its name in MODES.

    The mode holds for the whole board: one that another process has set is taken over, and a different
    ``wanted`` one refused. Raises EngineError.
    """
    sys, engine = libraries.sys, libraries.engine
    _SHARED.use(stack, "sys", lambda: sys.check("AX_SYS_Init"), lambda: sys.release("AX_SYS_Deinit"))
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
