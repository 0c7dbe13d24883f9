"""Settings that change while the service runs, on SIGHUP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, is_dataclass
from types import FrameType
from typing import Any

from loguru import logger
from pydantic import BaseModel

from roma_device.app.settings.settings import Settings
from roma_device.calibration.errors import RomaError
from roma_device.runtime.types import Result

from .notify import Notifier

APPLY_PATIENCE_S = 2.0
"""How long systemd waits for the next frame to take new settings over."""

END_PATIENCE_S = 1.0


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


class Reloader(AbstractContextManager["Reloader"]):
    """Reads the settings anew when a signal asked for it; what is wrong leaves them as they are.

    They are read in a thread of its own, inside the ``with`` block: a file that takes long holds up no frame. They are
    applied between two frames.
    """

    def __init__(self, current: Settings, load: Callable[[], Settings], notifier: Notifier) -> None:
        self.current, self._load, self._notifier = current, load, notifier
        self._apply: Callable[[Settings], None] | None = None
        self._asked, self._ended, self._applied = threading.Event(), threading.Event(), threading.Event()
        self._new: Settings | None = None
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)

    def apply_with(self, apply: Callable[[Settings], None]) -> None:
        """Who takes new settings; asked before that, they are read then."""
        self._apply = apply
        self._thread.start()

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """For a signal handler."""
        self._asked.set()

    def observe(self, result: Result) -> None:
        """Observer: between two frames."""
        self.apply_new()

    def apply_new(self) -> None:
        """Take the settings that were read, if there are new ones."""
        new, self._new = self._new, None
        if new is None or self._apply is None:
            return
        self._apply(new)
        self.current = new
        self._applied.set()

    def _work(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._ended.is_set():
                return
            self._notifier.reloading()
            self._notifier.ready(self._reload())

    def _reload(self) -> str:
        """What came of it; whatever is wrong with the file, this thread lives on."""
        try:
            new = self._load()
            _tell_changes(self.current, new)
        except RomaError as error:
            logger.error(f"the settings stay as they are: {error}")
            return "the settings stay as they are: see the log"
        except Exception as error:
            logger.opt(exception=error).debug("unexpected failure")
            logger.error(f"the settings stay as they are: internal error, please report it: {error!r}")
            return "the settings stay as they are: see the log"
        self._applied.clear()
        self._new = new
        return "settings reloaded" if self._applied.wait(APPLY_PATIENCE_S) else "settings change with the next frame"

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._asked.set()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE_S)


def _tell_changes(old: Settings, new: Settings) -> None:
    changed = list(changed_keys(old, new))
    for key, may_change in changed:
        logger.log("INFO" if may_change else "WARNING", f"{key} {'changes' if may_change else 'needs a restart'}")
    if not changed:
        logger.info("the settings are the same")


@contextmanager
def reload_on_hangup(reloader: Reloader) -> Iterator[None]:
    """SIGHUP asks ``reloader``."""
    previous = signal.signal(signal.SIGHUP, reloader.ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)
