"""What tests do with a stand-in library besides letting an engine use it."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path

HANG, NAN, SHORT = 1, 2, 3
"""Status for ``fault`` of an execution that misbehaves instead of failing."""

Runner = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_void_p))


class Standin:
    """The test's side of one loaded stand-in library."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.library = ctypes.CDLL(str(path))
        self.library.standin_violations.restype = c_char_p
        self.library.standin_calls.restype = c_char_p
        self.library.standin_bytes.restype = c_size_t
        self.library.standin_fault.argtypes = (c_char_p, c_int, c_int32, c_int)

    def reset(self) -> None:
        """Forget all objects, faults and records."""
        self.library.standin_reset()

    def set_runner(self, runner: ctypes._FuncPointer | None) -> None:
        """``runner`` must live as long as the library may call it; with None no network runs."""
        self.library.standin_set_runner(runner)

    def fault(self, call: str, status: int, nth: int = 1, *, sticky: bool = False) -> None:
        """The ``nth`` call of ``call`` ("*": of any) gives ``status``; with ``sticky`` all later ones too."""
        self.library.standin_fault(call.encode(), nth, ctypes.c_int32(status), sticky)

    def reset_records(self) -> None:
        """Forget the calls so far."""
        self.library.standin_reset_records()

    def clear_faults(self) -> None:
        self.library.standin_clear_faults()

    def slow(self, ms: int) -> None:
        """Let each execution take ``ms`` more."""
        self.library.standin_slow(ms)

    @property
    def violations(self) -> list[str]:
        """What was done against the rules of the interface, in order."""
        text: bytes = self.library.standin_violations()
        return text.decode().splitlines()

    @property
    def calls(self) -> list[str]:
        """Names of the calls so far."""
        text: bytes = self.library.standin_calls()
        return text.decode().splitlines()

    def alive(self, kind: str = "") -> int:
        """Live objects of ``kind``, or of all kinds."""
        return int(self.library.standin_alive(kind.encode()))

    @property
    def bytes_alive(self) -> int:
        """Bytes of memory that nobody freed."""
        return int(self.library.standin_bytes())
