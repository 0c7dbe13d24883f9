"""Live view of a run: its pages on a web server, and the observer that shows them the newest result."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from loguru import logger

from roma_device.app.addresses import is_loopback, parse_address
from roma_device.app.settings.settings import PageSettings
from roma_device.app.web.server import WebServer
from roma_device.app.web.tls import TlsError, server_context
from roma_device.runtime.types import Result

from .access import guarded, new_token
from .pages import Pages

Status = Callable[[], Mapping[str, Any]]
"""Figures of the run, for JSON."""


class LiveView(AbstractContextManager["LiveView"]):
    """Observer of a run that offers the live page until its ``with`` block ends."""

    def __init__(self, settings: PageSettings, status: Status, shared: WebServer | None = None) -> None:
        """``shared``: the server to put the page on, where it listens there already. Raises WebError and TlsError."""
        assert settings.listen is not None
        host, port = parse_address(settings.listen)
        self.token = None if is_loopback(host) else new_token()
        self.pages, self._stack = Pages(status), ExitStack()
        is_secure = settings.certificate is not None
        routes = {path: guarded(route, self.token, is_secure) for path, route in self.pages.routes().items()}
        if shared is None:
            remote, tls = self.token is not None, _tls(settings)
            self.web = WebServer(host, port, routes, allow_remote=remote, key="page.listen", tls=tls)
            self._stack.enter_context(self.web)
        else:
            self.web = shared
            for path, route in routes.items():
                shared.add(path, route)
        shown = f"[{host}]" if ":" in host else host
        query = f"?token={self.token}" if self.token else ""
        logger.warning(f"live page: http{'s' * is_secure}://{shown}:{self.web.port}/{query}")

    def observe(self, result: Result) -> None:
        """A frame went all the way through."""
        self.pages.show(result)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _tls(settings: PageSettings) -> ssl.SSLContext | None:
    if settings.certificate is None or settings.key is None:
        return None
    try:
        return server_context(settings.certificate, settings.key)
    except TlsError as error:
        raise TlsError(f"page.certificate and page.key: {error}") from None
