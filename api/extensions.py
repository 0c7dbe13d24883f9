"""Cameras, engines and sinks of other packages, by name."""

from __future__ import annotations

from roma_device.app.cameras import CAMERAS
from roma_device.app.sinks import SINKS
from roma_device.calibration.errors import RomaError
from roma_device.runtime.engine import ENGINES

from .log import stay_silent

stay_silent()


def register_camera(name: str, target: str) -> None:
    """Make ``camera="NAME:ARGUMENT"`` mean ``target`` ("module:Class" with ``from_spec(argument)``)."""
    _register(CAMERAS, name, target)


def register_engine(name: str, target: str) -> None:
    """Make ``engine="NAME"`` mean ``target`` ("module:Class", made with a ModelCard and EngineOptions)."""
    _register(ENGINES, name, target)


def register_sink(name: str, target: str) -> None:
    """Make ``save="NAME"`` mean ``target`` ("module:Class", made with the output folder)."""
    _register(SINKS, name, target)


def _register(table: dict[str, str], name: str, target: str) -> None:
    module, colon, attribute = target.partition(":")
    if not (module and colon and attribute):
        raise RomaError(f'{target!r} is no "module:Class"')
    if table.get(name, target) != target:
        raise RomaError(f"{name!r} is taken by {table[name]}: choose another name")
    table[name] = target
