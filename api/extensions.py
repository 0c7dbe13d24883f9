"""Cameras, engines and sinks of other packages, by name."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from roma_device.app.cameras import CAMERAS
from roma_device.app.sinks import SINKS
from roma_device.calibration.errors import RomaError
from roma_device.runtime.engine import ENGINES

from .log import stay_silent

stay_silent()


def register_camera(name: str, target: str | type) -> None:
    """Make ``camera="NAME:ARGUMENT"`` mean ``target``, whose ``from_spec(argument)`` makes the camera.

    A class, or "module:Class" that is imported on use. Raises RomaError for a name that is taken.
    """
    _register(CAMERAS, name, target)


def register_engine(name: str, target: str | type) -> None:
    """Make ``engine="NAME"`` mean ``target``, which is made with a ModelCard and EngineOptions.

    A class, or "module:Class" that is imported on use. Raises RomaError for a name that is taken.
    """
    _register(ENGINES, name, target)


def register_sink(name: str, target: str | type) -> None:
    """Make ``save="NAME"`` mean ``target``, which is made with the output folder, a Path.

    A class, or "module:Class" that is imported on use. Raises RomaError for a name that is taken.
    """
    _register(SINKS, name, target)


def _register(table: dict[str, str], name: str, target: str | type) -> None:
    if not isinstance(name, str) or not name or any(mark in name for mark in ":,"):
        raise RomaError(f"a name is a text without colon and comma, not {name!r}")
    target = _checked(f"{target.__module__}:{target.__qualname__}" if isinstance(target, type) else target)
    if table.get(name, target) != target:
        raise RomaError(f"{name!r} is taken by {table[name]}: choose another name")
    table[name] = target


def _checked(target: str) -> str:
    module, colon, attribute = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not (module and colon and attribute.isidentifier()):
        raise RomaError(f'{target!r} is no "module:Class": the class has to be at the top of its module')
    if not _exists(module):
        raise RomaError(f"{target!r}: there is no module {module}")
    return target


def _exists(module: str) -> bool:
    try:
        return module in sys.modules or find_spec(module) is not None
    except (ImportError, ValueError):
        return False
