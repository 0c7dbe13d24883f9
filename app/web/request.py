"""HTTP requests and answers as plain values, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from roma_device.app.addresses import is_loopback

Parts = Callable[[], bytes | None]
"""What a stream sends next: asked whenever the client has taken all before; b"" for nothing new yet, None for the end.

Who takes slowly gets fewer parts, and never holds more than one in memory.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a GET or HEAD request."""

    method: str
    path: str  # without the query
    query: str  # what stands behind the ?
    headers: Mapping[str, str]  # by name in small letters


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a body, or a stream of parts after it."""

    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    parts: Parts | None = None
    headers: tuple[str, ...] = ()  # whole lines, besides those that every answer has

    def encoded(self, with_body: bool = True) -> bytes:
        """Head and body; every connection serves one request, and nothing is cached."""
        length = "" if self.parts is not None else f"Content-Length: {len(self.body)}\r\n"
        more = "".join(f"{line}\r\n" for line in self.headers)
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nServer: roma-device\r\nContent-Type: {self.kind}\r\n"
            f"{length}{more}Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        return head.encode("latin-1") + (self.body if with_body else b"")


Route = Callable[[Request], Answer]
"""Runs in the server's thread: it answers from what is in memory, at once."""


def refusal(status: HTTPStatus, words: str) -> Answer:
    """An answer that says why there is none."""
    return Answer(f"{words}\n".encode(), status=status)


def parse_request(head: bytes) -> Request | Answer:
    """The request in ``head``, all up to the empty line; what cannot be answered gives the refusal."""
    first, *lines = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        return refusal(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1")
    if words[0] not in ("GET", "HEAD"):
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "there are GET and HEAD")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name or (name == "host" and name in headers):
            return refusal(HTTPStatus.BAD_REQUEST, "the headers cannot be read")
        headers[name] = value.strip()
    path, _, query = words[1].partition("?")
    return Request(words[0], path, query, headers)


def asks_for_us(request: Request) -> bool:
    """A web page may make a browser on this machine ask us, under a name that its author chose."""
    host = request.headers.get("host", "localhost")
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name)
