"""A real scheduler of Dask and its workers on loopback, as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client

WORKER_TTL_S = 8


@contextmanager
def scheduler(worker_ttl_s: float = WORKER_TTL_S) -> Iterator[str]:
    """HOST:PORT of a scheduler that runs meanwhile."""
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{worker_ttl_s}s"}
    words = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    with _program(words, environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"tcp://(127\.0\.0\.1:\d+)", line):
                break
        else:
            raise SystemExit("the scheduler of Dask does not start")
        yield found[1]


@contextmanager
def workers(address: str, count: int) -> Iterator[Client]:
    """``count`` processes with a nanny each; a client that sees them all."""
    here = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
    words = ("worker", f"tcp://{address}", "--nworkers", str(count), "--nthreads", "1", *here)
    with _program(words, dict(os.environ)), Client(f"tcp://{address}") as client:
        client.wait_for_workers(count, timeout=120)
        yield client


def worker_processes(client: Client) -> list[int]:
    """Their numbers, where they answer."""
    found: dict[str, Any] = client.run(os.getpid, on_error="ignore")
    return sorted(process for process in found.values() if isinstance(process, int))


@contextmanager
def _program(words: tuple[str, ...], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "dask", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
