"""The web server under clients that are slow, many, gone or foreign."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from roma_device.app.web import client as client_module
from roma_device.app.web.request import Answer, Request
from roma_device.app.web.server import MOST_CLIENTS, WebError, WebServer


def broken(request: Request) -> Answer:
    raise KeyError("a bug")


@pytest.fixture
def server() -> Iterator[WebServer]:
    routes = {"/page": lambda request: Answer(request.query.encode() or b"whole"), "/broken": broken}
    with WebServer("127.0.0.1", 0, routes) as running:
        yield running


def ask(server: WebServer, path: str = "/page", method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(server: WebServer, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(data)
    return connection


def all_of(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_pages_queries_and_heads(server: WebServer) -> None:
    assert ask(server) == (200, b"whole")
    assert ask(server, "/page?x=1") == (200, b"x=1")
    assert ask(server, method="HEAD") == (200, b"")
    assert ask(server, "/nothing")[0] == 404
    assert ask(server, method="POST")[0] == 405
    server.add("/more", lambda _: Answer(b"later"))
    assert ask(server, "/more") == (200, b"later")


def test_a_head_tells_the_length_of_what_it_leaves_out(server: WebServer) -> None:
    said = all_of(raw(server, b"HEAD /page HTTP/1.0\r\n\r\n"))
    assert b"Content-Length: 5\r\n" in said and said.endswith(b"\r\n\r\n")


def test_a_page_that_fails_costs_its_own_answer_alone(server: WebServer) -> None:
    assert ask(server, "/broken")[0] == 500
    assert ask(server) == (200, b"whole")


def test_foreign_names_are_refused(server: WebServer) -> None:
    assert ask(server, Host="evil.example")[0] == 403
    assert all_of(raw(server, b"GET /page HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")).split()[1] == b"400"


@pytest.mark.parametrize(
    "head", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /page HTTP/1.1\r\nno colon\r\n\r\n", b"\0\xff\n\n"]
)
def test_nonsense_gets_an_answer(server: WebServer, head: bytes) -> None:
    assert all_of(raw(server, head)).split()[1] == b"400"


def test_a_request_without_end_is_refused(server: WebServer) -> None:
    connection = raw(server, b"GET /page HTTP/1.1\r\n" + b"x" * client_module.MOST_HEAD_BYTES)
    assert connection.recv(99).split()[1] == b"431"
    connection.close()


def test_whoever_trickles_is_cut_off_by_one_deadline(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REQUEST_S", 0.3)
    connection = raw(server, b"GET /page HTTP/1.1\r\n")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.02):
            try:
                connection.send(b"x")
            except OSError:
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert connection.recv(9) == b""  # a deadline that each byte puts off would never end this
    except ConnectionError:
        pass
    finally:
        stop.set()
        thread.join()
        connection.close()


def test_many_that_hold_on_keep_nobody_out(server: WebServer) -> None:
    held = [raw(server, b"GET /page") for _ in range(10 * MOST_CLIENTS)]
    before = threading.active_count()
    for _ in range(5):
        assert ask(server) == (200, b"whole")
    assert threading.active_count() == before and len(server._clients) <= MOST_CLIENTS
    for each in held:
        each.close()


def test_whoever_does_not_take_its_answer_is_cut_off(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_S", 0.2)
    server.add("/large", lambda _: Answer(bytes(64 << 20)))
    connection = raw(server, b"GET /large HTTP/1.1\r\n\r\n")
    assert ask(server) == (200, b"whole")
    gone = threading.Event()
    while len(server._clients) and not gone.wait(0.05):
        pass
    connection.close()


def test_a_stream_gives_its_newest_part_and_ends(server: WebServer) -> None:
    parts = iter([b"one", b"", b"two", None])
    server.add("/stream", lambda _: Answer(b"head ", parts=lambda: next(parts)))
    said = all_of(raw(server, b"GET /stream HTTP/1.1\r\n\r\n"))
    assert said.endswith(b"\r\n\r\nhead onetwo") and b"Content-Length" not in said


def test_a_stream_that_breaks_ends_alone(server: WebServer) -> None:
    server.add("/stream", lambda _: Answer(parts=lambda: {}["gone"]))
    assert all_of(raw(server, b"GET /stream HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert ask(server) == (200, b"whole")


def test_whoever_hangs_up_on_a_stream_is_forgotten(server: WebServer) -> None:
    server.add("/stream", lambda _: Answer(b"head", parts=lambda: b""))
    connection = raw(server, b"GET /stream HTTP/1.1\r\n\r\n")
    assert connection.recv(999).startswith(b"HTTP/1.1 200")
    connection.close()
    patience = threading.Event()
    while len(server._clients) and not patience.wait(0.02):
        pass


def test_no_descriptors_left_is_got_over(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = threading.Event()
    monkeypatch.setattr(server, "_make_room", lambda: refused.set())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as connection:
        connection.settimeout(10)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(b"GET /page HTTP/1.1\r\n\r\n")
            assert refused.wait(10)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert all_of(connection).endswith(b"whole")


def test_an_address_in_use_is_one_sentence(server: WebServer) -> None:
    with pytest.raises(WebError, match=r"cannot listen on 127.0.0.1:\d+ \(a.key\): Address already in use"):
        WebServer("127.0.0.1", server.port, {}, key="a.key")


def test_remote_clients_only_where_it_is_allowed() -> None:
    with WebServer("127.0.0.1", 0, {"/page": lambda _: Answer(b"x")}, allow_remote=True) as running:
        assert ask(running, Host="board.example")[0] == HTTPStatus.OK
