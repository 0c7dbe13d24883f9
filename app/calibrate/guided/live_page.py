"""HTTP server of a page on the loopback with the live pictures and the coverage: see it through ``ssh -L``."""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
from loguru import logger

from roma_device.app.cameras import CameraError
from roma_device.calibration.arrays import GreyImage

from .live_page_html import HTML
from .state import CaptureState

JPEG_QUALITY = 70
WIDEST_PX = 640


class LivePage(AbstractContextManager["LivePage"]):
    """Serves the newest state to whoever asks; without a port it does nothing."""

    def __init__(self, port: int | None) -> None:
        """``port``: 0 for any that is free, None for no page. Raises CameraError where it is taken."""
        self._content: dict[str, tuple[str, bytes]] = {"/": ("text/html; charset=utf-8", HTML.encode("utf-8"))}
        self._server: ThreadingHTTPServer | None = None
        if port is None:
            return
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self._content))
        except OSError as error:
            raise CameraError(f"cannot serve the page at port {port}: {error.strerror}") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        logger.warning("live page: http://127.0.0.1:{}/", self.port)

    @property
    def port(self) -> int:
        return 0 if self._server is None else int(self._server.server_address[1])

    def show(self, state: CaptureState, left: GreyImage, right: GreyImage) -> None:
        """Keep a state with its pictures (H, W)."""
        if self._server is None:
            return
        self._content["/state.json"] = "application/json", json.dumps(state.as_json()).encode("utf-8")
        for name, image in (("/left.jpg", left), ("/right.jpg", right)):
            self._content[name] = "image/jpeg", _jpeg(image)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _jpeg(image: GreyImage) -> bytes:
    scale = min(1.0, WIDEST_PX / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())


def _handler(content: dict[str, tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, data = content.get(self.path.partition("?")[0], ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: the terminal shows the capture."""

    return Handler
