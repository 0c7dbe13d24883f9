"""Live streams over the loopback: they end, stall and come back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import CameraError, open_camera, stream
from roma_device.app.cameras.source import LiveSource, open_source
from roma_device.app.cameras.stream import StreamCamera

JPEG = cv2.imencode(".jpg", np.hstack([np.full((48, 64, 3), 60, np.uint8), np.full((48, 64, 3), 180, np.uint8)]))[1]


class Sender(BaseHTTPRequestHandler):
    """Five side-by-side pictures as MJPEG, then the end; at /stall silence before it."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % JPEG.size
        for _ in range(5):
            self.wfile.write(part + JPEG.tobytes() + b"\r\n")
        if self.path == "/stall":
            self.server.ended.wait(60)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Sender)
        self.asked, self.ended = 0, threading.Event()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what this is about."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(stream, "STALL_S", 0.5)
    monkeypatch.setattr(stream, "PAUSES_S", (0.01,))
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.ended.set()
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["live", "stall"])
def test_a_stream_that_ends_or_stalls_is_opened_again(server: Server, path: str) -> None:
    camera = open_camera(f"video:http://127.0.0.1:{server.server_port}/{path}")
    assert isinstance(camera, StreamCamera)
    with camera:
        frames = camera.frames()
        found = [next(frames) for _ in range(12)]
        assert camera.counts.reconnects >= 2 and camera.counts.is_connected
    assert [frame.left.sequence for frame in found] == list(range(12))
    stamps = [frame.timestamp_ns for frame in found]
    assert stamps == sorted(stamps) and found[0].size == (64, 48)
    assert abs(int(found[0].left.image.mean()) - 60) < 3 and abs(int(found[0].right.image.mean()) - 180) < 3


def test_a_stream_that_does_not_come_back_ends_the_run_as_unavailable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RECONNECT_S", 0.0)
    with open_camera(f"video:http://127.0.0.1:{server.server_port}/live") as camera:
        frames = camera.frames()
        next(frames)
        server.shutdown()
        server.server_close()
        with pytest.raises(CameraError, match="cannot be opened as a video") as caught:
            list(frames)
    assert caught.value.exit_code == os.EX_UNAVAILABLE


def test_the_loop_takes_the_newest_of_a_stream_and_can_stop_it(server: Server) -> None:
    stop = threading.Event()
    with open_camera(f"video:http://127.0.0.1:{server.server_port}/live") as camera:
        source = open_source(camera, stop)
        assert isinstance(source, LiveSource)
        with source:
            frames = source.frames()
            next(frames)
            stop.set()
            assert list(frames) == []
