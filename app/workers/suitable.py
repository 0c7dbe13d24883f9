"""Which workers of a scheduler may take our tasks: those that compute with the same versions as this program.

A plugin has each worker, now and later, compare; those that agree get a resource that our tasks need. It travels as
code, since a worker of another version may lack this module.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from distributed import Client, WorkerPlugin
from loguru import logger

from .software import fingerprint, software

LOOK_S, FIRST_LOOK_S = 2.0, 0.1
REFUSED = "-refused"
"""Mark of a worker that has compared, and does not suit: one without any mark has yet to answer."""


class Suitability:
    """Counts the workers that suit, and tells of those that do not."""

    def __init__(self, client: Client, model: str | None) -> None:
        """``model``: a bundle of which they must have the same files. Raises ModelError."""
        self._client = client
        self._resource = f"roma-device-{fingerprint(model)}"
        self._told: set[str] = set()
        self._looked_s = 0.0
        self.count = self.refused = 0
        client.register_plugin(_comparison(self._resource, model), name=self._resource)

    @property
    def needs(self) -> dict[str, float]:
        """What a task asks of its worker: all that a worker has to give, so that it does one at a time."""
        return {self._resource: 1}

    def forget(self) -> None:
        """Workers that come later need not compare."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.unregister_worker_plugin(self._resource)

    def look(self) -> None:
        """Count anew, now and then."""
        now_s = time.monotonic()
        if now_s - self._looked_s < (LOOK_S if self.count else FIRST_LOOK_S):
            return
        self._looked_s = now_s
        with suppress(OSError, TimeoutError):  # the client notices by itself
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            suit, refused = (
                {address for address, facts in workers.items() if self._resource + mark in facts["resources"]}
                for mark in ("", REFUSED)
            )
            self.count, self.refused = len(suit), len(refused)
            self._tell(refused - self._told)

    def _tell(self, refused: set[str]) -> None:
        for address in sorted(refused):
            logger.warning(f"worker {address} is refused: {self._difference(address)}")
        self._told |= refused

    def _difference(self, address: str) -> str:
        """What it computes with, where that is not what we do."""
        try:
            theirs = self._client.run(_their_software(), workers=[address])[address]
        except Exception:
            theirs = None
        if theirs is None:
            return "this version of roma-device cannot be used there"
        ours = software()
        names = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
        return ", ".join(f"{name} is {theirs.get(name)} there, {ours.get(name)} here" for name in names) or (
            "the model's files are others there"
        )


def _comparison(resource: str, model: str | None) -> WorkerPlugin:
    """Defined here, in a function, so that it is pickled by value."""

    class Comparison(WorkerPlugin):  # type: ignore[misc]
        async def setup(self, worker: Any) -> None:
            def compare() -> bool:
                from roma_device.app.workers.worker import prepare

                return resource == f"roma-device-{prepare(model)}"

            try:  # in a thread: what is imported there takes a while, and the worker has to give signs of life
                suits = await asyncio.get_running_loop().run_in_executor(None, compare)
            except Exception:
                suits = False
            await worker.set_resources(**{resource if suits else f"{resource}{REFUSED}": 1})

    return Comparison()


def _their_software() -> Any:
    """Pickled by value as well."""

    def found() -> dict[str, str] | None:
        try:
            from roma_device.app.workers.software import software
        except ImportError:
            return None
        return software()

    return found
