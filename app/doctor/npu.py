"""Diagnostic checks of the NPU: its nodes, whether it opens, and its memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from roma_device.app.doctor import MIB, CheckResult, Machine, read_text
from roma_device.app.service.install import DROP_IN, UNIT
from roma_device.app.service.rights import engine_of
from roma_device.runtime.engine import AUTO_NODES

PROBE = (sys.executable, "-m", "roma_device.app.doctor.npu_probe")
LIMIT_S = 60.0
"""Loading a model may take its time; what takes longer hangs."""

LEAST_CMM_MIB = 64

FREE_CMM = "end other programs that use the NPU or cameras, or reboot: what a crashed one held stays taken"
COMPILE = "docs/board.md, section 5, has how to compile the model for it"
FIXES = {
    "ax": "docs/board.md has the steps; `roma-device service install --engine ax` grants the service its rights",
    "axcl": "`axcl-smi` must list the card and `axcl-smi log -t 0x10` fetches its log; the driver calls healthy cards "
    "dead on some PCIe slots: try another one",
}


@dataclass(frozen=True, slots=True)
class NpuState:
    """What became of opening one kind of NPU."""

    told: str = ""  # by the NPU itself
    problem: str = ""  # why it does not open, in the words of ``run``
    unused: str = ""  # why the model does not run on it all the same
    refused: dict[str, str] = field(default_factory=dict)  # node -> why it cannot be opened


def npu_state(machine: Machine, engine: str) -> NpuState:
    """Opens it in a process of its own, once per ``machine``."""
    if engine not in machine.npu_states:
        machine.npu_states[engine] = _asked(machine, engine)
    state: NpuState = machine.npu_states[engine]
    return state


def has_npu(machine: Machine, engine: str) -> bool:
    return engine in AUTO_NODES and (machine.root / AUTO_NODES[engine].lstrip("/")).exists()


def _asked(machine: Machine, engine: str) -> NpuState:
    settings = machine.settings
    npu = asdict(settings.npu) | {"library_dir": settings.npu.library_dir and str(settings.npu.library_dir)}
    question = {"engine": engine, "root": str(machine.root), "model": settings.model, "npu": npu}
    said, problem = _answer(json.dumps(question))
    answers: dict[str, Any] = {"problem": problem}
    for line in said.splitlines():
        with suppress(json.JSONDecodeError, TypeError):  # the vendor's libraries print too
            answers |= json.loads(line)
    return NpuState(**answers)


def _answer(question: str) -> tuple[bytes, str]:
    """What PROBE prints, and why it did not come to its end."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen([*PROBE, question], stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired as expired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):  # a call that hangs in its driver outlives even that
            process.wait(1)
        if process.stdout is not None:
            process.stdout.close()
        return expired.stdout or b"", f"it did not answer within {LIMIT_S:g} s"
    code = process.returncode
    if code:
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        return said, f"the vendor's library ended the process ({ending}): is it of another release than the drivers?"
    return said, ""


def check_npu(machine: Machine) -> Iterator[CheckResult]:
    present = [engine for engine in AUTO_NODES if has_npu(machine, engine)]
    if not present:
        yield CheckResult("ok", "npu", "none on this machine")
    for engine in present:
        yield from _check_opening(engine, npu_state(machine, engine))
    yield from _check_rights(machine)
    yield from _check_cmm(machine.root)


def _check_opening(engine: str, state: NpuState) -> Iterator[CheckResult]:
    if state.refused and not all(node in state.problem for node in state.refused):
        nodes = ", ".join(f"{node} ({why})" for node, why in state.refused.items())
        fix = f"are its drivers loaded (dmesg)? Root may open it, and `roma-device service install --engine {engine}`"
        yield CheckResult("fail", "npu", f"{engine}: cannot be opened: {nodes}", f"{fix} lets the service")
    if state.problem:
        fix = FREE_CMM if "CMM" in state.problem else FIXES[engine]
        yield CheckResult("fail", "npu", f"{engine}: {state.problem}", fix)
    elif state.unused:
        yield CheckResult("warn", "npu", f"{engine}: {state.told}; {state.unused}, so the NPU is not used", COMPILE)
    elif not state.refused:
        yield CheckResult("ok", "npu", f"{engine}: {state.told}")


def _check_rights(machine: Machine) -> Iterator[CheckResult]:
    """A service that was installed before the NPU, or for another engine, is denied what it needs."""
    engine = engine_of(machine.root)
    installed = (machine.root / "etc/systemd/system" / UNIT).exists()
    drop_in = read_text(machine.root / DROP_IN.relative_to("/")) or ""
    if engine != "host" and installed and f"--engine {engine}`" not in drop_in:
        text = f"the service has no rights for the engine {engine}"
        yield CheckResult("warn", "rights", text, f"roma-device service install --engine {engine}")


def _check_cmm(root: Path) -> Iterator[CheckResult]:
    """The memory that CPU and NPU share; what a crashed program held may stay taken."""
    text = read_text(root / "proc/ax_proc/mem_cmm_info") or ""
    numbers = {key: int(value) for key, value in re.findall(r"(total size|remain)\s*=\s*(\d+)KB", text)}
    if len(numbers) < 2:
        return
    free_mib, total_mib = numbers["remain"] * 1024 // MIB, numbers["total size"] * 1024 // MIB
    words = f"{free_mib} of {total_mib} MiB free"
    if free_mib < LEAST_CMM_MIB:
        yield CheckResult("warn", "cmm", words, FREE_CMM)
    else:
        yield CheckResult("ok", "cmm", words)
