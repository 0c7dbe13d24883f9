"""Diagnostic checks of Python, its packages, the C library, the engines and the model."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from roma_device.app.doctor import CheckResult, Machine
from roma_device.app.model_store import find_model
from roma_device.calibration.errors import RomaError
from roma_device.runtime.engine import AUTO_NODES, AUTO_ORDER, ENGINES, engine_class
from roma_device.runtime.extras import install_line

from .npu import FIXES, has_npu, npu_state

OLDEST_GLIBC = (2, 28)
ENGINE_MODULES = {"openvino": "openvino", "onnx": "onnxruntime"}


def check_python(machine: Machine) -> Iterator[CheckResult]:
    library, number = platform.libc_ver()
    parts = tuple(int(part) for part in number.split(".") if part.isdecimal())
    text = f"Python {platform.python_version()} on {platform.machine()}, {library or 'an unknown C library'} {number}"
    if library != "glibc" or parts < OLDEST_GLIBC:
        yield CheckResult("warn", "python", text, "the wheels of OpenCV need glibc 2.28: take a newer system image")
    else:
        yield CheckResult("ok", "python", text)


def check_packages(machine: Machine) -> Iterator[CheckResult]:
    import cv2

    own = version("roma-device")
    yield CheckResult("ok", "packages", f"roma-device {own}, OpenCV {cv2.__version__}, numpy {version('numpy')}")


def check_engines(machine: Machine) -> Iterator[CheckResult]:
    """The engine that the settings ask for, or for auto the first that can."""
    wanted = machine.settings.engine
    usable = {name: _problem(name, machine) for name in ENGINES}
    there = [name for name in AUTO_ORDER if not usable[name]]
    if wanted != "auto" and usable[wanted]:
        fix = FIXES[wanted] if has_npu(machine, wanted) else "install it"
        yield CheckResult("fail", "engine", f"{wanted}: {usable[wanted]}", f"{fix}; or set engine: auto")
    elif not there:
        yield CheckResult("fail", "engine", "no engine can run", install_line("onnx"))
    else:
        chosen = wanted if wanted != "auto" else there[0]
        yield CheckResult("ok", "engine", f"{chosen} (usable: {', '.join(there)})")


def _problem(name: str, machine: Machine) -> str:
    """Why the engine cannot be used, "" where nothing speaks against it."""
    if name in AUTO_NODES:
        if not has_npu(machine, name):
            return f"there is no {AUTO_NODES[name]}"
        state = npu_state(machine, name)
        return state.problem or state.unused
    try:
        engine_class(name)
        if name in ENGINE_MODULES:
            version(ENGINE_MODULES[name])
    except PackageNotFoundError:
        return f"{ENGINE_MODULES[name]} is not installed"
    except (RomaError, ImportError) as error:
        return str(error)
    return ""


def check_model(machine: Machine) -> Iterator[CheckResult]:
    """Card and files with their hashes."""
    name = machine.settings.model
    try:
        card = find_model(name)
        for file in card.every_file.values():
            file.read()
    except RomaError as error:
        yield CheckResult("fail", "model", str(error), "install the package or the bundle anew")
        return
    kinds = ", ".join(f"{kind} {file.sha256[:12]}" for kind, file in card.every_file.items())
    yield CheckResult("ok", "model", f"{card.name}: {kinds}, hashes right")
