"""Workers of Dask: processes of this machine, or those of a scheduler that runs already.

No more tasks are given out than there are workers. Dask would queue them on the workers, and blame each of them when
one worker dies; and it would be the settings of a foreign scheduler that decide on it.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.security import Security
from loguru import logger

from . import Finished, Problem, Workers, WorkersError
from .address import Scheduler
from .attempt import attempt
from .suitable import Suitability

CONNECT_S = 10.0
PATIENCE_S = 300.0
"""How long nothing is done for want of a worker before that is an error."""

WORKER_TTL_S = 10.0
"""A local worker that gives no sign of life for so long is replaced; it is noticed after twice that at most."""

SLOW_TTL_S = 60.0
START_S = 20.0
"""How long workers that do not suit may be alone: others may be on their way."""

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CONFIG = {
    "distributed.scheduler.worker-ttl": f"{WORKER_TTL_S:g}s",
    "distributed.scheduler.allowed-failures": 0,  # we count ourselves
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.profile.enabled": False,  # it looks at every thread a hundred times a second
    "distributed.nanny.pre-spawn-environ": dict.fromkeys(ONE_THREAD, "1"),  # without Dask's limit for free memory
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
ONLY_HERE = "127.0.0.1:0"
"""Of the servers for HTTP, which scheduler and workers have in any case: None would mean every interface."""

CLOSE_S = 5.0


GIVE_AGAIN_S = 2.0
"""A task that no worker has after that time, and again after it, is given to the scheduler once more."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A task under way."""

    future: Future
    task: Callable[[Any], Any]
    argument: Any


class DaskWorkers(Workers):
    """Gives tasks to the workers of a scheduler that compute with what this program computes with."""

    def __init__(self, client: Client, stack: ExitStack, suitability: Suitability) -> None:
        """``stack``: what is to be closed at the end."""
        self._client, self._stack, self._suitable = client, stack, suitability
        self._given: dict[str, _Given] = {}
        self._done: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._submitted = 0
        self._lying, self._looked_s = set[str](), 0.0
        self._alone_since_s: float | None = None

    @property
    def capacity(self) -> int:
        return self._suitable.count

    @property
    def pending(self) -> int:
        return len(self._given)

    def submit(self, key: str, task: Callable[[Any], Any], argument: Any) -> None:
        self._submitted += 1  # a key of its own each time: Dask would answer with what it still knows of an earlier one
        name = f"roma-device-{os.getpid()}-{self._submitted}"
        future = self._client.submit(attempt, task, argument, key=name, pure=False, resources=self._suitable.needs)
        self._given[key] = _Given(future, task, argument)
        future.add_done_callback(lambda _: self._done.put((key, name)))

    def next(self, timeout_s: float) -> Finished[Any] | None:
        self._suitable.look()
        self._check_patience()
        self._give_again()
        try:
            key, name = self._done.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if key not in self._given or self._given[key].future.key != name:
            return None  # of one that was given again
        return Finished(key, *_outcome(self._given.pop(key).future))

    def _give_again(self) -> None:
        """Where all workers went at once, a scheduler keeps the tasks, and does not look at them again when those that
        came instead turn out to suit."""
        now_s = time.monotonic()
        if not self.capacity or now_s - self._looked_s < GIVE_AGAIN_S:
            return
        self._looked_s = now_s
        with suppress(OSError, TimeoutError):  # the client notices by itself
            taken = {name for names in self._client.processing().values() for name in names}
            open_ones = {key: each.future for key, each in self._given.items() if each.future.status == "pending"}
            lying = {future.key: key for key, future in open_ones.items() if future.key not in taken}
            for name in lying.keys() & self._lying:
                given = self._given[lying[name]]
                self.submit(lying[name], given.task, given.argument)
                self._client.cancel(given.future, force=True)
            self._lying = set(lying)

    def _check_patience(self) -> None:
        """Raises WorkersError where nobody will do the work, or nobody has been there for long."""
        if self._client.status not in ("running", "connecting"):
            raise _gone()
        if self.capacity:
            self._alone_since_s = None
            return
        now_s = time.monotonic()
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        if self._suitable.refused and now_s - self._alone_since_s > START_S:
            raise WorkersError("no worker has this program's versions: install the same on all, or use --on local:N")
        if now_s - self._alone_since_s > PATIENCE_S:
            raise WorkersError(f"no worker has been there for {PATIENCE_S:g} s")

    def __exit__(self, *_: object) -> None:
        if self._given and self._client.status == "running":
            self._client.cancel([each.future for each in self._given.values()])
        self._given.clear()
        self._stack.close()


def _outcome(future: Future) -> tuple[Any, Problem | None]:
    """Raises WorkersError where the scheduler went away."""
    try:
        if future.status == "cancelled":
            raise _gone()
        result: tuple[Any, Problem | None] = future.result()
    except KilledWorker:
        return None, Problem("the worker died on it", os.EX_SOFTWARE, was_killed=True)
    except WorkersError:
        raise
    except Exception as error:  # what Dask itself says of a task
        return None, Problem(f"the worker failed: {error!r}", os.EX_SOFTWARE)
    return result


def _gone() -> WorkersError:
    return WorkersError(
        "the scheduler went away: give the same command again when it is back", exit_code=os.EX_TEMPFAIL
    )


def local_workers(count: int, model: str | None) -> DaskWorkers:
    """``count`` processes of this machine, which only it can talk to; those that die or hang are replaced."""
    _hush()
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(CONFIG))
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            memory_limit=0,
            dashboard_address=ONLY_HERE,
            worker_dashboard_address=ONLY_HERE,
            silence_logs=logging.CRITICAL,
        )
        stack.callback(_close, cluster)
        return _workers(stack.enter_context(Client(cluster, timeout=CONNECT_S)), model, stack)


def _close(cluster: LocalCluster) -> None:
    """Ask the workers to end, and end those that do not: they would go on to write."""
    processes = [nanny.process.pid for nanny in cluster.workers.values() if getattr(nanny, "process", None)]
    with suppress(TimeoutError):
        cluster.close(timeout=CLOSE_S)
    for process in processes:
        with suppress(ProcessLookupError, TypeError):  # it has ended, or never began
            os.kill(process, signal.SIGKILL)


def scheduler_workers(place: Scheduler, model: str | None) -> DaskWorkers:
    """Those of the scheduler at ``place`` that have this program's version; raises WorkersError."""
    _hush()
    protocol, security = "tcp", None
    if place.has_tls:
        files = {"tls_ca_file": place.ca, "tls_client_cert": place.cert, "tls_client_key": place.key}
        protocol = "tls"
        security = Security(require_encryption=True, **{name: str(path) for name, path in files.items()})
    with ExitStack() as stack:
        try:
            client = stack.enter_context(Client(f"{protocol}://{place.address}", security=security, timeout=CONNECT_S))
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkersError(f"no scheduler answers at {place.address}: {error}") from None
        _warn_of_patience(client)
        return _workers(client, model, stack)


def _workers(client: Client, model: str | None, stack: ExitStack) -> DaskWorkers:
    suitability = Suitability(client, model)
    stack.callback(suitability.forget)
    return DaskWorkers(client, stack.pop_all(), suitability)


def _warn_of_patience(client: Client) -> None:
    """A scheduler's own settings say when a worker that hangs is given up."""
    limit_s = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.worker_ttl)
    if not limit_s or limit_s > SLOW_TTL_S:
        after = f"after {limit_s:g} s at least" if limit_s else "never"
        logger.warning(
            f"this scheduler gives up a worker that hangs {after}: start it with "
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=15s"
        )


def _hush() -> None:
    """What Dask says of workers that die is told in our words."""
    for name in ("distributed", "asyncio", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
