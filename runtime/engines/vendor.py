"""Vendor's shared libraries by ctypes: search, lazy prototypes, checked status words, state that engines share."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.runtime.engine import EngineError

from .nodes import denied_nodes

FOLDER_VARIABLE = "ROMA_AX_LIB_DIR"
"""Environment variable with the folder of the libraries; it wins over all other places."""

POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
SUPPORTED_POINTER_BYTES = 8

Prototype = tuple[Any, tuple[Any, ...]]  # restype, argtypes


@dataclass(frozen=True, slots=True)
class LibrarySpec:
    """One library: where it may lie and what it exports."""

    name: str  # "libaxcl_rt.so"
    folders: tuple[str, ...]  # where the vendor's packages put it
    install: str  # what to install where it is missing, for the message
    prototypes: Mapping[str, Prototype]
    meaning: Callable[[int], str]  # of a status word, unsigned 32 bit
    needs: tuple[str, ...] = ()  # libraries that it uses, which lie beside it


class VendorLibrary:
    """A loaded library. Functions are bound on first use, so that a missing one matters only where it is needed."""

    def __init__(self, library: ctypes.CDLL, spec: LibrarySpec) -> None:
        self._library, self._spec = library, spec
        self._bound: dict[str, Any] = {}
        self._failed = False

    def has(self, function: str) -> bool:
        return hasattr(self._library, function)

    def value(self, function: str, *arguments: Any) -> Any:
        """What ``function`` returns, for one whose result is no status."""
        return (self._bound.get(function) or self._bind(function))(*arguments)

    def check(self, function: str, *arguments: Any) -> None:
        """Call ``function``; raises EngineError with name, code and meaning unless its status is 0."""
        status = self.value(function, *arguments)
        if status:
            self._failed = True
            raise EngineError(self.failure(function, status))

    def check_opening(self, engine: str, function: str, *arguments: Any) -> None:
        """As ``check``, for the call that opens the device nodes of ``engine``: a missing right is named instead."""
        status = self.value(function, *arguments)
        if status:
            self._failed = True
            raise EngineError(self.failure(function, status, denied_nodes(engine)))

    def release(self, function: str, *arguments: Any) -> None:
        """Call ``function`` while closing: a failure is logged, and what is left is freed all the same.

        After a failed check the log takes it at debug level: that one was the user's to know.
        """
        status = self.value(function, *arguments)
        if status:
            logger.log("DEBUG" if self._failed else "WARNING", self.failure(function, status))

    def failure(self, function: str, status: int, cause: str = "") -> str:
        """One sentence; a ``cause`` that is known takes the place of what the code means."""
        code = status & 0xFFFFFFFF
        return f"{function} failed with 0x{code:08X} ({cause or self._spec.meaning(code)})"

    def _bind(self, function: str) -> Any:
        try:
            bound: Any = getattr(self._library, function)
        except AttributeError:
            raise EngineError(f"{self._spec.name} has no {function}: it is too old; {self._spec.install}") from None
        bound.restype, bound.argtypes = self._spec.prototypes[function]
        self._bound[function] = bound
        return bound


def load_library(spec: LibrarySpec, folder: Path | None = None) -> VendorLibrary:
    """Search ``folder``, else FOLDER_VARIABLE, else the system's loader and then ``spec.folders``.

    Raises EngineError with what is missing and where it was looked for, and on a 32-bit system.
    """
    if POINTER_BYTES != SUPPORTED_POINTER_BYTES:
        raise EngineError(
            f"{spec.name} needs a 64-bit Python: this one has {8 * POINTER_BYTES} bit, "
            "for which its structures are laid out otherwise"
        )
    wanted = folder or os.environ.get(FOLDER_VARIABLE)
    places = (
        [str(Path(wanted).resolve() / spec.name)]
        if wanted
        else [spec.name, *(f"{folder}/{spec.name}" for folder in spec.folders)]
    )
    problems: list[str] = []
    for place in places:
        try:
            _load_needs(spec, Path(place))
            return VendorLibrary(ctypes.CDLL(place), spec)
        except OSError as error:
            if Path(place).exists() or not _is_missing(str(error), spec.name):
                problems.append(str(error))
    if problems:
        raise EngineError(f"{spec.name} does not load: {'; '.join(problems)}")
    raise EngineError(f"{spec.name} is not in {_places(folder, spec.folders)}: {spec.install}")


def _load_needs(spec: LibrarySpec, place: Path) -> None:
    """The loader does not search what is loaded already: so a folder that it does not know works all the same."""
    for beside in (place.parent / name for name in spec.needs if place.is_absolute()):
        if beside.exists():
            ctypes.CDLL(str(beside))


def _is_missing(problem: str, name: str) -> bool:
    """The loader's words for the library itself not being there, not one that it needs."""
    return f"{name}: cannot open shared object" in problem


def _places(folder: Path | None, folders: Sequence[str]) -> str:
    if folder is not None:
        return str(folder)
    wanted = os.environ.get(FOLDER_VARIABLE)
    return f"{wanted} ({FOLDER_VARIABLE})" if wanted else ", ".join(["the loader's path", *folders])


class SharedState:
    """State that all engines of the process share: set up by the first user, taken down by the last."""

    def __init__(self) -> None:
        self._users: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def use(self, stack: ExitStack, key: Hashable, start: Callable[[], None], stop: Callable[[], None]) -> None:
        """``start`` what ``key`` names unless it runs; ``stop`` follows when the last user's ``stack`` closes."""
        with self._lock:
            if not self._users[key]:
                start()
            self._users[key] += 1
        stack.callback(self._leave, key, stop)

    def _leave(self, key: Hashable, stop: Callable[[], None]) -> None:
        with self._lock:
            self._users[key] -= 1
            if not self._users[key]:
                stop()
