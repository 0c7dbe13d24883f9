"""Asking of boards for their health, all at once and each by the same deadline: over TCP, TLS, or through ssh."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from .boards import Board, Fleet

State = Literal["ok", "unwell", "stalled", "dead", "odd"]
"""ok: gives what it was asked for; unwell: answers that it does not; stalled: takes the connection and does not answer;
dead: takes no connection; odd: answers something else than a board does."""

MOST_BYTES = 1 << 20
MOST_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking one board."""

    board: Board
    state: State
    detail: str = ""
    status: dict[str, Any] = field(default_factory=dict)  # what /healthz said


@dataclass(slots=True)
class Inquiry:
    """One board being asked, in a thread of its own."""

    board: Board
    ca: Path | None
    deadline_s: float
    room: threading.Semaphore
    is_connected: bool = False
    answer: Answer | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def run(self) -> None:
        with self.room:
            try:
                with self.stack:
                    data = b"".join(self._received())
            except (OSError, ValueError) as error:
                self.answer = self.answer or self._failed(error)
                return
        self.answer = self.answer or _read(self.board, data)

    def _received(self) -> Iterator[bytes]:
        """The answer as bytes, up to the end of the connection."""
        send, receive = self._connect()
        host = "localhost" if self.board.scheme == "ssh" else self.board.address.partition("://")[2]
        send(f"GET /healthz HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        size = 0
        while block := receive():
            self.is_connected, size = True, size + len(block)
            if size > MOST_BYTES:
                return
            yield block

    def _connect(self) -> tuple[Callable[[bytes], object], Callable[[], bytes]]:
        if self.board.scheme == "ssh":
            return self._through_ssh()
        connection: socket.socket = self.stack.enter_context(
            socket.create_connection((self.board.host, self.board.port), self._left_s())
        )
        if self.board.scheme == "https":
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            connection = self.stack.enter_context(context.wrap_socket(connection, server_hostname=self.board.host))
        self.is_connected = True

        def receive() -> bytes:
            connection.settimeout(self._left_s())
            return connection.recv(1 << 16)

        return connection.sendall, receive

    def _through_ssh(self) -> tuple[Callable[[bytes], object], Callable[[], bytes]]:
        """``ssh -W`` leads to the board's loopback, where the monitor listens: the board needs nothing for it."""
        board, limit_s = self.board, max(1, int(self._left_s() * 0.7))
        words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={limit_s}", "-p", str(board.port)]
        words += ["-W", f"127.0.0.1:{board.monitor_port}", f"{board.user}@{board.host}" if board.user else board.host]
        pipe = subprocess.PIPE
        process = self.stack.enter_context(
            contextlib.closing(_Ssh(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe)))
        )
        return process.send, process.receive

    def _left_s(self) -> float:
        return max(self.deadline_s - time.monotonic(), 0.05)

    def _failed(self, error: Exception) -> Answer:
        if isinstance(error, TimeoutError) and self.is_connected:
            return Answer(self.board, "stalled", "takes the connection, and does not answer")
        reason = "no answer to the connection" if isinstance(error, TimeoutError) else _words(error)
        return Answer(self.board, "dead", reason)

    def give_up(self) -> Answer:
        """The deadline is over; a name that cannot be looked up may hold up its thread for longer."""
        is_silent = self.is_connected or self.board.scheme == "ssh"
        detail = "takes the connection, and does not answer" if is_silent else "no answer to the connection"
        self.answer = self.answer or Answer(self.board, "stalled" if is_silent else "dead", detail)
        if self.board.scheme == "ssh":
            self.stack.close()
        return self.answer


class _Ssh:
    """A child that carries one connection; what it complains of is the error."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said = False

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            stdin = _pipe(self._process.stdin)
            stdin.write(data)
            stdin.flush()

    def receive(self) -> bytes:
        block: bytes = _pipe(self._process.stdout).read1(1 << 16)  # type: ignore[attr-defined]
        if block or self._said:
            self._said = True
            return block
        lines = _pipe(self._process.stderr).read(4096).decode(errors="replace").strip().splitlines()
        raise ConnectionError(f"ssh: {lines[-1] if lines else 'the connection ends at once'}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                _pipe(stream).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _read(board: Board, data: bytes) -> Answer:
    """The answer of a board, or of something else that has its address."""
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        status = None
    if not isinstance(status, dict) or not isinstance(status.get("healthy"), bool):
        said = " ".join(words[1:]) if words[0].startswith("HTTP/") and words[1:] else "no HTTP"
        return Answer(board, "odd", f"what answers there is no roma-device: {said[:60]}")
    if status["healthy"]:
        return Answer(board, "ok", "", status)
    problems = status.get("problems")
    told = "; ".join(f"{where}: {what}" for where, what in problems.items()) if isinstance(problems, dict) else ""
    return Answer(board, "unwell", told, status)


def ask_all(fleet: Fleet, timeout_s: float) -> list[Answer]:
    """One answer for each board in their order, ``timeout_s`` after the call at the latest."""
    deadline_s = time.monotonic() + timeout_s
    room = threading.Semaphore(MOST_AT_ONCE)
    inquiries = [Inquiry(board, fleet.ca, deadline_s, room) for board in fleet.boards]
    threads = [threading.Thread(target=inquiry.run, daemon=True) for inquiry in inquiries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline_s + 0.2 - time.monotonic(), 0))
    return [inquiry.answer or inquiry.give_up() for inquiry in inquiries]
