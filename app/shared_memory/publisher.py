"""Publisher into shared memory; without a reader it does nothing but look for one."""

from __future__ import annotations

import os
import threading

from roma_device.app.cameras.mailbox import Mailbox
from roma_device.app.sinks import SinkError
from roma_device.runtime.types import Result

from .greeting import address_of
from .layout import FIELDS, SharedMemoryError
from .writer import Writer

DEFAULT_FIELDS = ("left", "depth", "confidence")


class SharedMemoryPublisher:
    """``shm:NAME[?fields=left,depth...]``; a context manager.

    The images are copied by a thread of its own, so that the loop that finds them does not wait for megabytes. Where
    results come faster than they can be copied, the newest wins. Who may change the arrays of a result waits for
    ``flush`` first.
    """

    def __init__(self, name: str, fields: tuple[str, ...] = DEFAULT_FIELDS) -> None:
        self._name, self._fields = name, fields
        self._writer: Writer | None = None
        self._results = Mailbox[tuple[int, Result]]()
        self._thread: threading.Thread | None = None
        self._given = self._done = 0  # numbers of the newest result that came, and of the one that is published
        self._published = threading.Condition()
        self._problem: Exception | None = None

    @classmethod
    def from_spec(cls, argument: str) -> SharedMemoryPublisher:
        """From ``NAME[?fields=A,B]``; raises SinkError."""
        name, _, query = argument.partition("?")
        try:
            address_of(name)
        except SharedMemoryError as error:
            raise SinkError(str(error), exit_code=os.EX_USAGE) from None
        return cls(name, _fields(query) if query else DEFAULT_FIELDS)

    def __enter__(self) -> SharedMemoryPublisher:
        self._writer, self._results = Writer(self._name, self._fields), Mailbox()
        work = (self._writer, self._results)
        self._thread = threading.Thread(target=self._work, args=work, name=f"shm:{self._name}", daemon=True)
        self._thread.start()
        return self

    @property
    def has_readers(self) -> bool:
        """Whether somebody reads, or has come to read."""
        return self._writer is not None and (self._writer.is_read or self._writer.is_called())

    def write(self, result: Result) -> None:
        """Publish one result; never waits for a reader. Raises SinkError where there is no memory for a ring."""
        if self._writer is None:
            raise ValueError("results are published inside the with block")
        if not self.has_readers:
            return
        if self._problem is not None or self._writer.needs_ring(result.frame.size):
            # What may fail is done here, so that it is told of the result that it is about.
            self.flush()
            self._writer.write(result)
            self._problem = None
            return
        self._given += 1
        self._results.put((self._given, result))

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until the newest result is where readers find it; False where it is not after ``timeout_s``."""
        with self._published:
            return self._published.wait_for(lambda: self._done == self._given, timeout_s)

    def _work(self, writer: Writer, results: Mailbox[tuple[int, Result]]) -> None:
        while not results.is_finished:
            if (item := results.take(threading.TIMEOUT_MAX)) is None:
                continue
            number, result = item
            try:
                writer.write(result)
            except Exception as error:  # tried again by the next write, or told at the end
                self._problem = error
            del item, result  # its images are not kept until the next one comes
            with self._published:
                self._done = number
                self._published.notify_all()

    def __exit__(self, *raised: object) -> None:
        """What was written is still published; raises what was wrong with it."""
        self._results.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        problem, self._problem = self._problem, None
        if problem is not None and not any(raised):
            raise problem


def _fields(query: str) -> tuple[str, ...]:
    key, _, value = query.partition("=")
    names = FIELDS if value == "all" else tuple(value.split(","))
    unknown = [name for name in names if name not in FIELDS]
    if key != "fields" or unknown or not names:
        raise SinkError(
            f"shm:NAME?{query}: write fields= and some of {', '.join(FIELDS)}, or all", exit_code=os.EX_USAGE
        )
    return names
