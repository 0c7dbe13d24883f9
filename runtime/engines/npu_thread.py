"""Worker thread with a timeout for all blocking calls to an NPU: whoever waits can give up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from roma_device.runtime.engine import EngineError

Call = Callable[[], None]


class NpuThread:
    """Calls one after the other in the order of ``submit``; each is answered by one ``wait``.

    The limit is for each step of a call, which ``step_done`` ends, so that it need not know how many there are.

    A daemon: a call that never returns does not keep the process from ending.
    """

    def __init__(self, name: str, limit_s: float) -> None:
        self._limit_s = limit_s
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[float, Exception | None] | None] = queue.SimpleQueue()
        self.stuck = False  # a call took longer than the limit: nothing more can be asked for
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> None:
        self._calls.put(call)

    def wait(self, limit_s: float | None = None) -> float:
        """Duration in ms of the oldest call not waited for; raises what it raised, EngineError beyond the limit."""
        try:
            while (answer := self._answers.get(timeout=limit_s or self._limit_s)) is None:
                pass
        except queue.Empty:
            self.stuck = True
            limit = f"{self._limit_s:g} s (npu.run_limit_s)" if limit_s is None else f"{limit_s:g} s"
            raise EngineError(f"the NPU did not answer within {limit}") from None
        duration_ms, error = answer
        if error is not None:
            raise error
        return duration_ms

    def step_done(self) -> None:
        """Called within a call: what comes now has the whole limit again."""
        self._answers.put(None)

    def close(self, patience_s: float) -> bool:
        """End the thread after the calls under way; False if they take longer than ``patience_s``."""
        self._calls.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            start_ns, failure = time.perf_counter_ns(), None
            try:
                call()
            except Exception as error:
                failure = error
            self._answers.put(((time.perf_counter_ns() - start_ns) / 1e6, failure))
