"""What the live page asks for: itself, its stream of pictures, events, a pixel, and snapshots."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from roma_device.app.sinks.file_sink import encode_png
from roma_device.app.sinks.ply import PlySink
from roma_device.app.sinks.preview import draw_preview
from roma_device.app.web.request import Answer, Request, Route, refusal
from roma_device.runtime.types import Result

from .drawing import Encoder, Look, shown_size

BOUNDARY = "roma-frame"
MOST_FPS = 15.0
EVENT_S = 0.25
WAITING = "no frame has come yet"


class Pages:
    """Answers of the page; ``show`` takes the newest result, and nothing is drawn before somebody asks."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        """``status``: figures of the run, for JSON."""
        self._status, self._latest = status, None
        self.encoder = Encoder()

    _latest: Result | None

    def show(self, result: Result) -> None:
        """Keep a result for those who look; one assignment, from the loop's thread."""
        self._latest = result

    def routes(self) -> dict[str, Route]:
        """Path -> who answers."""
        return {
            "/": self._page,
            "/stream.mjpg": self._stream,
            "/frame.jpg": self._frame,
            "/events": self._events,
            "/pixel.json": self._pixel,
            "/snapshot.png": self._png,
            "/snapshot.ply": self._ply,
        }

    def _page(self, request: Request) -> Answer:
        html = files(__package__).joinpath("page.html").read_bytes()
        return Answer(html, "text/html; charset=utf-8")

    def _frame(self, request: Request) -> Answer:
        if self._latest is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, WAITING)
        return Answer(self.encoder(self._latest, Look.parse(request.query)), "image/jpeg")

    def _stream(self, request: Request) -> Answer:
        """MJPEG, as browsers, OpenCV, VLC and ffmpeg read it."""
        look, shown, sent_s = Look.parse(request.query), -1, 0.0

        def part() -> bytes:
            nonlocal shown, sent_s
            latest, now_s = self._latest, time.monotonic()
            if latest is None or latest.index == shown or now_s - sent_s < 1 / MOST_FPS:
                return b""
            shown, sent_s = latest.index, now_s
            data = self.encoder(latest, look)
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            return head.encode() + data + b"\r\n"

        return Answer(kind=f"multipart/x-mixed-replace; boundary={BOUNDARY}", parts=part)

    def _events(self, request: Request) -> Answer:
        """Server-sent events with the figures."""
        sent_s = 0.0

        def part() -> bytes:
            nonlocal sent_s
            if time.monotonic() - sent_s < EVENT_S:
                return b""
            sent_s = time.monotonic()
            return f"data: {json.dumps(self._figures())}\n\n".encode()

        return Answer(kind="text/event-stream", parts=part)

    def _figures(self) -> dict[str, Any]:
        latest = self._latest
        figures: dict[str, Any] = {**self._status(), "frame": None}
        if latest is not None:
            figures["frame"] = {
                "index": latest.index,
                "size": list(latest.matches.certainty.shape[::-1]),
                "shown": list(shown_size(latest)),
                "metric": latest.depth is not None,
                "times": latest.times.as_json(),
                "pose": None if latest.pose is None else latest.pose.as_json(),
                "obstacles": None if latest.obstacles is None else latest.obstacles.as_json(),
            }
        return figures

    def _pixel(self, request: Request) -> Answer:
        """Depth (m), disparity (px) and confidence at a column and row of the rectified left image."""
        latest, given = self._latest, parse_qs(request.query)
        if latest is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, WAITING)
        height, width = latest.matches.certainty.shape
        try:
            column, row = (int(given[name][0]) for name in ("x", "y"))
        except (KeyError, ValueError):
            column = row = -1
        if not (0 <= column < width and 0 <= row < height):
            return refusal(HTTPStatus.BAD_REQUEST, f"x and y must be whole numbers within {width}x{height}")
        known = bool(latest.known[row, column])
        disparity_px = latest.matches.disparity_px
        record = {
            "x": column,
            "y": row,
            "depth_m": float(latest.depth.depth_m[row, column]) if latest.depth is not None and known else None,
            "disparity_px": float(disparity_px[row, column]) if disparity_px is not None and known else None,
            "confidence": float(latest.matches.certainty[row, column]),
        }
        return Answer(json.dumps(record).encode(), "application/json")

    def _png(self, request: Request) -> Answer:
        if self._latest is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, WAITING)
        return Answer(encode_png(draw_preview(self._latest)), "image/png", headers=(_named(self._latest, "png"),))

    def _ply(self, request: Request) -> Answer:
        data = None if self._latest is None else PlySink(Path()).encode(self._latest)
        if self._latest is None or data is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there is no cloud: it needs a frame with depth in metres")
        return Answer(data, "application/octet-stream", headers=(_named(self._latest, "ply"),))


def _named(result: Result, suffix: str) -> str:
    return f'Content-Disposition: attachment; filename="roma-{result.index:06d}.{suffix}"'
