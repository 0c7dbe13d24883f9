"""One connection of the web server: reads a request, sends the answer, each by its deadline."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from http import HTTPStatus

from .request import Answer, Parts, Request, parse_request, refusal
from .tls import TlsConnection

REQUEST_S = 5.0
"""A request is here as a whole by then, however it trickles."""

ANSWER_S = 10.0
"""An answer, or a part of a stream, is taken as a whole by then."""

MOST_HEAD_BYTES = 8192
RECEIVE_BYTES = 4096
STREAM_BUFFER_BYTES = 1 << 16


class Client:
    """A state machine over a socket that never blocks; ``answer`` says what to send."""

    def __init__(
        self, connection: socket.socket | TlsConnection, address: str, answer: Callable[[Request, str], Answer]
    ) -> None:
        connection.setblocking(False)
        self.connection, self._address, self._answer = connection, address, answer
        self._received = bytearray()
        self._to_send = memoryview(b"")
        self._parts: Parts | None = None
        self._deadline_s = time.monotonic() + REQUEST_S
        self.is_answered = False  # its request was whole
        self.is_done = False

    @property
    def events(self) -> int:
        """What to wait for."""
        if isinstance(self.connection, TlsConnection) and self.connection.waits_for is not None:
            return self.connection.waits_for
        return selectors.EVENT_WRITE if len(self._to_send) else selectors.EVENT_READ

    @property
    def is_streaming(self) -> bool:
        return self._parts is not None

    def is_late(self, now_s: float) -> bool:
        """Whether it was too slow; a stream that has nothing to send is not."""
        return now_s > self._deadline_s and (len(self._to_send) > 0 or not self.is_streaming)

    def handle(self) -> None:
        """Read or send what is possible now; raises OSError where the client is gone."""
        if len(self._to_send):
            self._send()
        elif self.is_answered:
            self._discard()
        else:
            self._receive()

    def feed(self) -> None:
        """Send the next part of a stream, if everything before it was taken."""
        if self._parts is None or len(self._to_send):
            return
        part = self._parts()
        if part is None:
            self.is_done = True
        elif part:
            self._begin(part)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        self.connection.close()

    def _receive(self) -> None:
        data = self.connection.recv(RECEIVE_BYTES)
        if not data:
            self.is_done = True
            return
        self._received += data
        head, end, _ = bytes(self._received).replace(b"\r\n", b"\n").partition(b"\n\n")
        if end:
            self._take(parse_request(head))
        elif len(self._received) > MOST_HEAD_BYTES:
            self._take(refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long"))

    def _take(self, request: Request | Answer) -> None:
        answer = request if isinstance(request, Answer) else self._answer(request, self._address)
        with_body = isinstance(request, Answer) or request.method == "GET"
        self.is_answered = True
        self._received.clear()
        self._parts = answer.parts if with_body else None
        if self._parts is not None:  # what waits in the kernel would grow old there
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)
        self._begin(answer.encoded(with_body))

    def _begin(self, data: bytes) -> None:
        self._to_send, self._deadline_s = memoryview(data), time.monotonic() + ANSWER_S
        with contextlib.suppress(BlockingIOError):
            self._send()

    def _send(self) -> None:
        self._to_send = self._to_send[self.connection.send(self._to_send) :]
        if not len(self._to_send) and not self.is_streaming:
            self.is_done = True

    def _discard(self) -> None:
        """Of a stream: what its client still says means nothing, that it hangs up does."""
        if not self.connection.recv(RECEIVE_BYTES):
            self.is_done = True
