"""HTTP server: one thread that waits for all of its clients at once, so that none can hold up another or the loop.

There is a most of clients. Where more come, the one that has waited longest without a whole request goes: whoever
holds connections open keeps nobody from asking.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus

from loguru import logger

from roma_device.app.addresses import is_loopback
from roma_device.calibration.errors import RomaError

from .client import Client
from .request import Answer, Request, Route, asks_for_us, refusal
from .tls import TlsConnection

MOST_CLIENTS = 32
LOOK_S = 0.5
"""How often deadlines are looked at."""

FEED_S = 0.02
"""How often streams are asked for their next part."""


class WebError(RomaError):
    """An address on which nothing can be offered."""

    exit_code = os.EX_UNAVAILABLE


class WebServer:
    """Serves ``routes`` inside its ``with`` block, for this machine alone unless ``allow_remote``."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        *,
        allow_remote: bool = False,
        key: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``routes``: path -> who answers; ``key``: the setting that the address comes from; with ``tls`` it is https.

        Raises WebError.
        """
        self._routes, self._allow_remote, self._tls = dict(routes), allow_remote, tls
        try:
            self._listener = _listen(host, port)
        except OSError as error:
            where = f" ({key})" if key else ""
            raise WebError(f"cannot listen on {host}:{port}{where}: {error.strerror or error}") from error
        self._ended, self._end = socket.socketpair()
        self._clients: list[Client] = []  # oldest first
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def add(self, path: str, route: Route) -> None:
        """Offer one page more, at any time."""
        self._routes[path] = route

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        self._thread.join(1.0)

    def _serve(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(self._patience_s())]
            if self._ended in ready:
                break
            if self._listener in ready:
                self._accept_all()
            for client in self._clients.copy():
                self._attend(client, client.connection in ready)
        for client in self._clients.copy():
            self._drop(client)
        for each in (self._selector, self._listener, self._ended):
            each.close()

    def _patience_s(self) -> float:
        return FEED_S if any(client.is_streaming for client in self._clients) else LOOK_S

    def _accept_all(self) -> None:
        """All who wait to be let in, so far as there is room for them at once."""
        for _ in range(MOST_CLIENTS):
            try:
                self._accept()
            except (BlockingIOError, ConnectionError):  # nobody waits, or no more
                return
            except OSError as error:  # no descriptors are left
                logger.debug(f"a client cannot be taken: {error}")
                if not self._make_room():
                    time.sleep(FEED_S)
                return

    def _accept(self) -> None:
        accepted, address = self._listener.accept()
        if len(self._clients) >= MOST_CLIENTS:
            self._make_room()
        client = Client(self._secured(accepted), str(address[0]), self._answer)
        self._clients.append(client)
        self._selector.register(client.connection, client.events)
        self._attend(client, True)

    def _secured(self, connection: socket.socket) -> socket.socket | TlsConnection:
        if self._tls is None:
            return connection
        try:
            return TlsConnection(connection, self._tls)
        except OSError as error:  # gone already: the next one may wait
            connection.close()
            raise ConnectionError from error

    def _make_room(self) -> bool:
        """Give up the oldest client whose request is not whole, else the oldest stream's."""
        waiting = [client for client in self._clients if not client.is_answered]
        for client in (waiting or self._clients)[:1]:
            self._drop(client)
            return True
        return False

    def _attend(self, client: Client, is_ready: bool) -> None:
        """Whatever one client does or makes a page do, it costs that client alone."""
        try:
            if is_ready:
                with contextlib.suppress(BlockingIOError):
                    client.handle()
            client.feed()
        except OSError:
            client.is_done = True
        except Exception as error:
            logger.opt(exception=error).debug("a stream of the web server broke off")
            client.is_done = True
        if client.is_done or client.is_late(time.monotonic()):
            self._drop(client)
        elif self._selector.get_key(client.connection).events != client.events:
            self._selector.modify(client.connection, client.events)

    def _drop(self, client: Client) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.close()
        self._clients.remove(client)

    def _answer(self, request: Request, address: str) -> Answer:
        if not self._allow_remote and not (is_loopback(address) and asks_for_us(request)):
            return refusal(HTTPStatus.FORBIDDEN, "only for this machine")
        route = self._routes.get(request.path)
        if route is None:
            return refusal(HTTPStatus.NOT_FOUND, f"there are {' and '.join(self._routes)}")
        try:
            return route(request)
        except Exception as error:
            logger.opt(exception=error).debug(f"{request.path} cannot be answered")
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "this cannot be answered now")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(4 * MOST_CLIENTS)
    except OSError:
        listener.close()
        raise
    return listener
