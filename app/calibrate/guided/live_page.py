"""HTTP server of a page on the loopback with the live pictures and the coverage: see it through ``ssh -L``."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from http import HTTPStatus

import click
import cv2

from roma_device.app.web.request import Answer, Request
from roma_device.app.web.server import WebServer
from roma_device.calibration.arrays import GreyImage

from .screen import CaptureState

HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>roma-device calibrate</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; background: #14171a; color: #e8eaed; }
h1 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .5rem; }
#status { font-size: 1.3rem; } #status.taken { color: #7ddc8a; } #status.refused { color: #ffd166; }
#advice { color: #8ecdf7; font-size: 1.1rem; margin-bottom: .7rem; }
.eyes { display: flex; flex-wrap: wrap; gap: 1rem; } .eye { position: relative; flex: 1 1 300px; max-width: 640px; }
.eye img { width: 100%; display: block; background: #000; min-height: 3rem; }
.grid { position: absolute; inset: 0; display: grid; grid-template-columns: repeat(8, 1fr);
  grid-template-rows: repeat(6, 1fr); }
.grid div { border: 1px solid #ffffff22; } table { margin-top: .8rem; border-collapse: collapse; }
td { padding: .1rem .8rem .1rem 0; } progress { width: 100%; max-width: 640px; }
</style></head><body>
<h1>Calibration with <span id="board">...</span></h1>
<progress id="bar" max="1" value="0"></progress> <span id="count"></span>
<div id="status" class="refused">waiting for the camera</div><div id="advice"></div>
<div class="eyes">
<div class="eye"><img id="left" alt="left image"><div class="grid" id="grid0"></div></div>
<div class="eye"><img id="right" alt="right image"><div class="grid" id="grid1"></div></div></div>
<table id="counts"></table>
<script>
const at = id => document.getElementById(id);
function grid(element, rows) {
  element.replaceChildren(...rows.flat().map(count => {
    const cell = document.createElement('div');
    cell.style.background = count ? `rgba(90, 220, 120, ${0.08 + 0.07 * Math.min(count, 5)})` : 'none';
    return cell;
  }));
}
function show(state) {
  at('board').textContent = state.board;
  at('count').textContent = `${state.count}, `
    + `left ${Math.round(100 * state.coverage[0])} %, right ${Math.round(100 * state.coverage[1])} % covered`;
  at('bar').value = Math.min(1, state.taken / state.wanted);
  at('status').textContent = state.status;
  at('status').className = state.accepted ? 'taken' : 'refused';
  at('advice').textContent = 'next: ' + state.advice;
  state.grids.forEach((rows, side) => grid(at('grid' + side), rows));
  at('counts').replaceChildren(...Object.entries({...state.tilts, ...state.distances}).map(([name, count]) => {
    const row = document.createElement('tr');
    for (const text of [name, count]) row.insertCell().textContent = text;
    return row;
  }));
}
async function turn() {
  try {
    show(await (await fetch('state.json')).json());
    for (const side of ['left', 'right']) at(side).src = side + '.jpg?' + Date.now();
  } catch (error) { at('status').textContent = 'the capture has ended, or has not started yet'; }
  setTimeout(turn, 500);
}
turn();
</script></body></html>
"""


JPEG_QUALITY = 70
WIDEST_PX = 640
PATHS = ("/", "/state.json", "/left.jpg", "/right.jpg")


class LivePage(AbstractContextManager["LivePage"]):
    """Serves the newest state to whoever asks; without a port it does nothing."""

    def __init__(self, port: int | None) -> None:
        """``port``: 0 for any that is free, None for no page. Raises WebError where it is taken."""
        self._content: dict[str, tuple[str, bytes]] = {"/": ("text/html; charset=utf-8", HTML.encode("utf-8"))}
        self._server: WebServer | None = None
        if port is not None:
            self._server = WebServer("127.0.0.1", port, dict.fromkeys(PATHS, self._answer), key="--page")
            click.echo(f"live page: http://127.0.0.1:{self.port}/", err=True)

    def _answer(self, request: Request) -> Answer:
        kind, data = self._content.get(request.path, ("", b""))
        return Answer(data, kind) if kind else Answer(b"nothing yet\n", status=HTTPStatus.NOT_FOUND)

    def __enter__(self) -> LivePage:
        if self._server is not None:
            self._server.__enter__()
        return self

    @property
    def port(self) -> int:
        return 0 if self._server is None else self._server.port

    def show(self, state: CaptureState, left: GreyImage, right: GreyImage) -> None:
        """Keep a state with its pictures (H, W)."""
        if self._server is None:
            return
        self._content["/state.json"] = "application/json", json.dumps(state.as_json()).encode("utf-8")
        for name, image in (("/left.jpg", left), ("/right.jpg", right)):
            self._content[name] = "image/jpeg", _jpeg(image)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)


def _jpeg(image: GreyImage) -> bytes:
    scale = min(1.0, WIDEST_PX / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())
