"""What the binding to the board's runtime adds to each run of a network, on the stand-in libraries.

    python -m bench.npu_binding [RUN_MS]

Compares ``start()`` and ``finish()``, of which ``run()`` consists, with the bare call of the library, at 640x320 with
two inputs and two outputs. A run takes RUN_MS (0) and copies its inputs to its outputs. Both sides see the same memory,
so that flush and invalidate cost their calls alone: what the cache itself takes is the board's to tell.
"""

from __future__ import annotations

import ctypes
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from roma_device.app.model_store import find_model
from roma_device.runtime.engine import EngineOptions, NpuOptions
from roma_device.runtime.engines.ax.engine import AxEngine
from tests.standin.build import build
from tests.standin.control import COHERENT, AxStandin
from tests.standin.network import standin_card

SIZE = (640, 320)
WARM_UP = 50


def main() -> None:
    run_ms = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    repeat = 2000 if run_ms == 0 else 300
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name in ("libax_sys.so", "libax_engine.so"):
            build(name, folder)
        standin = AxStandin(folder)
        standin.set_cache(COHERENT)
        standin.slow(run_ms)
        card = standin_card(find_model("stereo").first_alone(), SIZE, folder / "copy.axmodel", network=b"")
        engine = AxEngine(card, EngineOptions(SIZE, npu=NpuOptions(library_dir=folder)))
        report(engine, repeat)
        engine.close()
        assert standin.alive() == 0


def report(engine: AxEngine, repeat: int) -> None:
    """Beside the bare call: the time from ``start()`` to the end of ``finish()`` less that of the call inside it."""
    bare, wall_us, bare_us, beyond_us = bare_call(engine), [], [], []
    for _ in range(WARM_UP + repeat):
        bare_us.append(timed_us(bare))
        start_ns = time.perf_counter_ns()
        engine.start()
        run_ms = engine.finish()
        wall_us.append((time.perf_counter_ns() - start_ns) / 1e3)
        beyond_us.append(wall_us[-1] - 1e3 * run_ms)
    for name, values in {"bare call": bare_us, "with binding": wall_us, "beyond its call": beyond_us}.items():
        ranked = sorted(values[WARM_UP:])
        print(f"{name:>16}: median {statistics.median(ranked):9.1f} us, 95 % {ranked[len(ranked) * 95 // 100]:9.1f} us")


def timed_us(call: Callable[[], None]) -> float:
    start_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start_ns) / 1e3


def bare_call(engine: AxEngine) -> Callable[[], None]:
    """The library's own function on the engine's buffers, without its thread, flush and invalidate."""
    function = ctypes.CDLL(str(engine._libraries.engine._library._name)).AX_ENGINE_RunSyncV2
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    graph = engine._sets[0]._graphs[0]
    arguments = graph.model.handle, graph.model.context, ctypes.byref(graph.buffers.io)
    return lambda: function(*arguments)


if __name__ == "__main__":
    main()
