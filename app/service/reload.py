"""Settings that change while the service runs, on SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import FrameType
from typing import Any

from loguru import logger
from pydantic import BaseModel

from roma_device.app.settings.settings import Settings
from roma_device.calibration.errors import RomaError
from roma_device.runtime.types import Result

from .notify import Notifier


def changed_keys(old: Any, new: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Dotted name of each key that differs, and whether it may change while the program runs."""
    for name, marks in _keys(old).items():
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, BaseModel) or is_dataclass(before):
            yield from changed_keys(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name}", isinstance(marks, Mapping) and bool(marks.get("reloadable"))


def _keys(section: Any) -> Mapping[str, Any]:
    """Names of the keys and their marks, of the settings or of a dataclass in them."""
    if isinstance(section, BaseModel):
        return {name: key.json_schema_extra for name, key in type(section).model_fields.items()}
    return {key.name: key.metadata for key in fields(section)}


class Reloader:
    """Reads the settings anew when a signal asked for it; what is wrong leaves them as they are."""

    def __init__(
        self, current: Settings, load: Callable[[], Settings], apply: Callable[[Settings], None], notifier: Notifier
    ) -> None:
        self.current, self._load, self._apply, self._notifier = current, load, apply, notifier
        self._asked = False

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """For a signal handler."""
        self._asked = True

    def observe(self, result: Result) -> None:
        """Observer: between two frames."""
        self.reload_if_asked()

    def reload_if_asked(self) -> None:
        """Between two frames; never raises a RomaError."""
        if not self._asked:
            return
        self._asked = False
        self._notifier.reloading()
        try:
            self._take(self._load())
        except RomaError as error:
            logger.error(f"the settings stay as they are: {error}")
        self._notifier.ready("settings reloaded")

    def _take(self, new: Settings) -> None:
        changed = list(changed_keys(self.current, new))
        for key, may_change in changed:
            logger.log("INFO" if may_change else "WARNING", f"{key} {'changes' if may_change else 'needs a restart'}")
        if not changed:
            logger.info("the settings are the same")
        self._apply(new)
        self.current = new


@contextmanager
def reload_on_hangup(reloader: Reloader) -> Iterator[None]:
    """SIGHUP asks ``reloader``."""
    previous = signal.signal(signal.SIGHUP, reloader.ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)
