"""Everything that watches a run: systemd, the web server, the status file, the log."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from roma_device.app.addresses import parse_address
from roma_device.app.web.request import Answer, Request
from roma_device.runtime.types import Result

from .health import Health
from .notify import Notifier
from .status_file import StatusFile

if TYPE_CHECKING:
    from roma_device.app.web.server import WebServer

STATUS_S = 1.0
"""How often the status is told to systemd and written."""

LOG_S = 60.0


class Monitor:
    """Observer of a run on behalf of all who watch it from outside; nothing that fails here stops the run."""

    def __init__(self, health: Health, notifier: Notifier, status_file: Path | None) -> None:
        self.health, self.stats, self._notifier = health, health.stats, notifier
        self._status = None if status_file is None else StatusFile(status_file)
        self._metrics: Any = None
        self._facts: Callable[[], Mapping[str, Any]] = dict
        self.web: WebServer | None = None  # further pages may be added to it
        self._stack = ExitStack()
        self._logged_s = time.monotonic()
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell_often, name="status", daemon=True)

    def serve(self, address: str, allow_remote: bool, model: str) -> None:
        """Offer /healthz and /metrics; raises WebError."""
        from roma_device.app.web.server import WebServer

        from .metrics import Metrics

        self._metrics = Metrics(self.health, model, self._told)
        routes = {"/healthz": self._answer_health, "/metrics": self._answer_metrics}
        host, port = parse_address(address)
        self.web = WebServer(host, port, routes, allow_remote=allow_remote, key="monitor.listen")
        self._stack.enter_context(self.web)
        logger.info(f"http://{address}/healthz and /metrics")

    def _answer_health(self, request: Request) -> Answer:
        code = HTTPStatus.OK if self.health.is_good else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(json.dumps(self.status()).encode() + b"\n", "application/json", code)

    def _answer_metrics(self, request: Request) -> Answer:
        return Answer(self._metrics.exposition(), self._metrics.content_type)

    def status(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {**self.health.as_json(), **self.stats.as_json(), **self._facts()}

    def _told(self) -> Mapping[str, Any]:
        return self._facts()

    def tell(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Have ``facts`` stand among the figures; asked from any thread."""
        self._facts = facts

    def observe(self, result: Result) -> None:
        """A frame went all the way through."""
        frame = self.stats.add(result)
        if self._metrics is not None:
            self._metrics.add(result, frame)
        if self.stats.frames == 1:
            self._notifier.ready(self.stats.as_line())
        self._notifier.pet()
        now_s = time.monotonic()
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            logger.info(self.stats.as_line())

    def _tell_often(self) -> None:
        """In a thread of its own: that nothing comes any more is worth telling too."""
        while not self._ended.wait(STATUS_S):
            problems = self.health.problems()
            self._notifier.status("; ".join([self.stats.as_line(), *(f"{k}: {v}" for k, v in problems.items())]))
            if self._status is not None:
                self._status.write(self.status())

    def __enter__(self) -> Monitor:
        if self._notifier.is_active or self._status is not None:
            self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._notifier.stopping()
        self._ended.set()
        if self._teller.is_alive():
            self._teller.join(STATUS_S)
        self._stack.close()
        self._notifier.close()
