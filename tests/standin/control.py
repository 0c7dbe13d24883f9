"""What tests do with a stand-in library besides letting an engine use it."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path

HANG, NAN, SHORT = 1, 2, 3
"""Status for ``fault`` of an execution that misbehaves instead of failing."""

AS_ON_BOARDS, COHERENT, STRICT = 0, 1, 2
"""For ``AxStandin.set_cache``; ax.h says what they mean."""

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
        self.library.standin_set_runner.argtypes = (c_void_p,)

    def reset(self) -> None:
        """Forget all objects, faults and records."""
        self.library.standin_reset()

    def set_runner(self, runner: ctypes._FuncPointer | None) -> None:
        """``runner`` must live as long as the library may call it; with None no network runs."""
        self.library.standin_set_runner(runner and ctypes.cast(runner, c_void_p))

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

    def assert_clean(self) -> None:
        """Nothing was done against the rules, and nothing is left."""
        assert (self.violations, self.alive(), self.bytes_alive) == ([], 0, 0)

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


class AxStandin(Standin):
    """The test's side of the two libraries on the board; all state lies in libax_sys.so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "libax_sys.so")
        self.folder = folder
        self.library.standin_set_pool.argtypes = (c_size_t,)

    def set_cmm(self, size: int) -> None:
        """Bytes of CMM that there are, taken or not."""
        self.library.standin_set_pool(size)

    def set_cache(self, kind: int) -> None:
        """How CPU and NPU see cached memory: AS_ON_BOARDS, COHERENT or STRICT."""
        self.library.standin_set_cache(kind)

    def set_mode(self, mode: int) -> None:
        """As if another process had initialized the NPU."""
        self.library.standin_set_mode(mode)

    def release_hanging(self) -> None:
        """Let calls that hang come back."""
        self.library.standin_release()
