"""What others may do to the service: to its results, its settings, its port and the stream that it reads."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from board import (
    CONFIG,
    UNIT,
    Measured,
    Watch,
    clean_up,
    configure,
    health,
    journal,
    pid,
    restarts,
    sh,
    start,
    wait_for,
)

RESULTS = Path("/var/lib/roma-device/results")
CLIENTS = 1024
PORT = 8091
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{each}: &{each} [{', '.join([f'*{before}'] * 9)}]\n" for before, each in zip("abcdefgh", "bcdefghi", strict=True)
)


def frames() -> int:
    return int((health() or {"frames": 0})["frames"])


def sink_trouble() -> Measured:
    """The folder of the results is taken away and a file put in its place: told, and made again."""
    with _results():
        watch = Watch()
        shutil.rmtree(RESULTS)
        RESULTS.write_text("in the way")
        told: list[str] = []

        def is_told(status: dict[str, Any]) -> bool:
            told.extend(text for name, text in status["problems"].items() if "results" in f"{name} {text}")
            return bool(told)

        seen = watch.detected(is_told)
        assert told and pid() == watch.pid
        RESULTS.unlink()
        cured = time.monotonic()
        wait_for("results again", lambda: _lines(RESULTS) and health()["healthy"])
        back = time.monotonic() - cured
        assert pid() == watch.pid
    return {"detected_s": seen, "recovered_s": back, "note": f"same process; {told[0]}"[:120]}


def restart_keeps_results() -> Measured:
    """``kill -9`` while results are written: they stay, and the next process has a folder of its own."""
    with _results():
        wait_for("results", lambda: len(_lines(RESULTS)) > 5)
        watch = Watch()
        os.kill(pid(), signal.SIGKILL)
        before = RESULTS.joinpath("results.jsonl").read_bytes()
        wait_for("a new process", lambda: restarts() > watch.restarts)
        back = watch.recovered()
        assert RESULTS.joinpath("results.jsonl").read_bytes() == before
        wait_for("new results", lambda: _lines(Path(f"{RESULTS}-2")))
    count = len(before.splitlines())
    return {"recovered_s": back, "files_lost": 0, "note": f"{count} lines as they were; goes on in {RESULTS.name}-2"}


def alias_bomb() -> Measured:
    """Settings that unfold to 400 million numbers, on reload: refused by a sentence while frames go on."""
    begun, watch = time.monotonic(), Watch()
    with clean_up(configure, lambda: sh(f"systemctl reload {UNIT}")):
        CONFIG.write_text(BOMB)
        sh(f"systemctl reload {UNIT}")
        wait_for("refused", lambda: "settings stay as they are" in journal(begun))
        seen = time.monotonic() - begun
        first = frames()
        wait_for("further frames", lambda: frames() > first + 2)
        assert pid() == watch.pid and health()["healthy"]
    return {"detected_s": seen, "recovered_s": 0.0, "note": "same process, settings stay"}


def thousand_clients() -> Measured:
    """1,024 connections that ask for half of something and hold on: others are answered, no thread is added."""
    watch, first = Watch(), frames()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threads = _threads()
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.socket())
            client.settimeout(30)
            client.connect(("127.0.0.1", 9470))
            client.sendall(b"GET /metr")
        answered = wait_for("an answer", lambda: (health() or {}).get("healthy"), 60)
        wait_for("further frames", lambda: frames() > first + 2)
        assert _threads() <= threads + 1 and pid() == watch.pid
    return {"recovered_s": 0.0, "note": f"an honest client is answered after {answered:.1f} s; {threads} threads"}


def stream_ends() -> Measured:
    """A network stream ends for good: exit code 69, so that systemd tries again until it is back."""
    with clean_up(configure, start):
        with _stream():
            configure(camera=f"video:http://127.0.0.1:{PORT}/live", input_width=64, max_fps=2)
            start()
            wait_for("frames", lambda: frames() > 3)
            watch = Watch()
        wait_for("a new process", lambda: restarts() > watch.restarts)
        seen = time.monotonic() - watch.begun
        assert "code=exited, status=69" in journal(watch.begun)
        with _stream():
            back = watch.recovered()
    return {
        "detected_s": seen,
        "recovered_s": back,
        "note": "exit code 69 after 20 s without it; started until it is back",
    }


@contextmanager
def _results() -> Iterator[None]:
    """The service with a folder of results."""
    with clean_up(configure, start, lambda: sh(f"rm -rf {RESULTS} {RESULTS}-*")):
        sh(f"rm -rf {RESULTS} {RESULTS}-*")
        configure(output={"folder": str(RESULTS), "save": ["results"]})
        start()
        wait_for("results", lambda: _lines(RESULTS))
        yield


def _lines(folder: Path) -> list[bytes]:
    """Of the results so far, a torn last one not among them."""
    try:
        return (folder / "results.jsonl").read_bytes().split(b"\n")[:-1]
    except OSError:
        return []


def _threads() -> int:
    text = Path(f"/proc/{pid()}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Threads:"))


class _Sender(BaseHTTPRequestHandler):
    """Two textures side by side, five times a second, until the server ends."""

    server: _Server

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        picture = self.server.picture
        part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(picture), picture)
        while not self.server.ended.wait(0.2):
            self.wfile.write(part)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", PORT), _Sender)
        self.ended = threading.Event()
        texture = cv2.blur(np.random.default_rng(0).integers(0, 255, (180, 324, 3), np.uint8), (3, 3))
        self.picture = cv2.imencode(".jpg", np.hstack([texture[:, :320], texture[:, 4:]]))[1].tobytes()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up."""


@contextmanager
def _stream() -> Iterator[None]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.ended.set()
            server.shutdown()
