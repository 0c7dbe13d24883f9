"""HTTP server of /healthz and /metrics, for this machine alone unless the settings say otherwise."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loguru import logger

from roma_device.app.settings.sections import is_loopback, parse_address
from roma_device.calibration.errors import RomaError

CLIENT_PATIENCE_S = 5.0


class MonitorError(RomaError):
    """An address on which nothing can be offered."""

    exit_code = os.EX_UNAVAILABLE


class WebServer:
    """Serves inside its ``with`` block, in threads that never hold up the loop."""

    def __init__(
        self, address: str, allow_remote: bool, health: Callable[[], tuple[bool, Any]], metrics: Callable[[], bytes]
    ) -> None:
        """``health``: whether all is well, and the status as JSON; ``metrics``: in Prometheus' text format."""
        host, port = parse_address(address)
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise MonitorError(f"cannot listen on {address} (monitor.listen): {error.strerror}") from error
        self._server.allow_remote, self._server.health, self._server.metrics = allow_remote, health, metrics
        self._thread = threading.Thread(target=self._server.serve_forever, name="web", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_remote = False
    health: Callable[[], tuple[bool, Any]]
    metrics: Callable[[], bytes]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug(f"a request from {client_address} broke off")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_PATIENCE_S
    server_version, sys_version = "roma-device", ""

    def do_GET(self) -> None:
        if not self.server.allow_remote and not (is_loopback(self.client_address[0]) and self._asks_for_us()):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"only for this machine\n")
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", self.server.metrics())
        elif self.path == "/healthz":
            good, status = self.server.health()
            code = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(code, "application/json", json.dumps(status).encode() + b"\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /healthz and /metrics\n")

    def _asks_for_us(self) -> bool:
        """A web page may make a browser on this machine ask us, under a name that its author chose."""
        host = self.headers.get("Host", "localhost")
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        return is_loopback(name)

    def _answer(self, code: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format % args)
