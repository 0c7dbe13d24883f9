"""Everything that watches a run: systemd, the web server, the status file, the log."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from roma_device.app.recording.recorder import Recorder
from roma_device.app.settings.sections import parse_address
from roma_device.app.web.request import Answer, Request
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.types import Result

from .live_stats import LiveStats
from .notify import Notifier

if TYPE_CHECKING:
    from roma_device.app.web.server import WebServer

STATUS_S = 1.0
"""How often the status is told to systemd and written."""

LOG_S = 60.0


class Monitor:
    """Observer of a run on behalf of all who watch it from outside; nothing that fails here stops the run."""

    def __init__(
        self,
        stats: LiveStats,
        notifier: Notifier,
        healthy_s: float,
        status_file: Path | None,
        recorder: Recorder | None = None,
    ) -> None:
        self.stats, self._notifier, self._recorder = stats, notifier, recorder
        self._healthy_s, self._status_file = healthy_s, status_file
        self._metrics: Any = None
        self.web: WebServer | None = None  # further pages may be added to it
        self._stack = ExitStack()
        self._logged_s = time.monotonic()
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell_often, name="status", daemon=True)

    def serve(self, address: str, allow_remote: bool, model: str) -> None:
        """Offer /healthz and /metrics; raises WebError."""
        from roma_device.app.web.server import WebServer

        from .metrics import Metrics

        self._metrics = Metrics(self.stats, model, self._recorder)
        routes = {"/healthz": self._answer_health, "/metrics": self._answer_metrics}
        host, port = parse_address(address)
        self.web = WebServer(host, port, routes, allow_remote=allow_remote, key="monitor.listen")
        self._stack.enter_context(self.web)
        logger.info(f"http://{address}/healthz and /metrics")

    def _answer_health(self, request: Request) -> Answer:
        code = HTTPStatus.OK if self.is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(json.dumps(self.status()).encode() + b"\n", "application/json", code)

    def _answer_metrics(self, request: Request) -> Answer:
        return Answer(self._metrics.exposition(), self._metrics.content_type)

    @property
    def is_healthy(self) -> bool:
        """A frame went all the way through not long ago."""
        age_s = self.stats.last_frame_age_s
        return age_s is not None and age_s <= self._healthy_s

    def status(self) -> dict[str, Any]:
        status = {"healthy": self.is_healthy, **self.stats.as_json()}
        if self._recorder is not None:
            recorder = self._recorder
            status["recording"] = {
                "folder": str(recorder.folder),
                "pairs": recorder.written,
                "lost": recorder.lost,
                "problem": recorder.problem,
            }
        return status

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
            self._notifier.status(self.stats.as_line())
            self._write_status()

    def _write_status(self) -> None:
        if self._status_file is None:
            return
        try:
            write_atomic(self._status_file, json.dumps(self.status()).encode() + b"\n", durable=False)
        except OSError as error:
            logger.warning(f"cannot write the status to {self._status_file}, and will not try again: {error.strerror}")
            self._status_file = None

    def __enter__(self) -> Monitor:
        if self._notifier.is_active or self._status_file is not None:
            self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._notifier.stopping()
        self._ended.set()
        if self._teller.is_alive():
            self._teller.join(STATUS_S)
        self._stack.close()
        self._notifier.close()
