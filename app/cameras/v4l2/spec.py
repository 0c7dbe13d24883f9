"""Parser of ``v4l2:LEFT,RIGHT?KEY=VALUE`` on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from roma_device.app.cameras.query import Query, usage
from roma_device.calibration.arrays import Size

from .pixel_formats import DECODERS

KEYS = ("size", "fps", "format", "exposure", "gain", "max_skew_ms", "timeout_s", "reconnect_s", "wait_s")


@dataclass(frozen=True, slots=True)
class V4l2Spec:
    """``v4l2:LEFT,RIGHT[?KEY=VALUE&...]``, or ``v4l2:DEVICE`` for one that delivers both side by side."""

    paths: tuple[str, ...]  # one or two
    size: Size | None = None  # of one image, px; None: the first that both offer near 640x400
    fps: float = 30.0
    format: str | None = None  # fourcc; None: the first of DECODERS that both offer
    exposure: int | None = None  # 100 us; None: automatic
    gain: int | None = None  # None: automatic
    max_skew_ms: float = 10.0
    timeout_s: float = 2.0  # without any pair: the cameras count as stuck
    reconnect_s: float = 20.0  # how long to try to get them back
    wait_s: float = 0.0  # how long to wait for them at the start

    @classmethod
    def parse(cls, text: str) -> V4l2Spec:
        """Raises CameraError for an unknown key or value, or where a device stands twice."""
        devices, query = Query.split(text, "v4l2 camera", KEYS)
        return cls(
            _paths(devices),
            query.size(16, 16384),
            query.number("fps", 30.0, 0.1, 1000),
            _format(query.values.get("format")),
            _setting("exposure", query),
            _setting("gain", query),
            query.number("max_skew_ms", 10.0, 0.01, 1000),
            query.number("timeout_s", 2.0, 0.1, 3600),
            query.number("reconnect_s", 20.0, 0, math.inf),
            query.number("wait_s", 0.0, 0, math.inf),
        )


def _paths(text: str) -> tuple[str, ...]:
    paths = tuple(_path(part.strip()) for part in text.split(","))
    if not all(paths) or len(paths) > 2:
        raise usage("a v4l2 camera needs LEFT,RIGHT or one DEVICE, such as v4l2:/dev/video0,/dev/video2")
    if len({str(Path(path).resolve()) for path in paths}) < len(paths):
        raise usage(f"left and right are the same device, {Path(paths[0]).resolve()}: name two cameras")
    return paths


def _path(name: str) -> str:
    """A number stands for /dev/videoN, a bare name for one in /dev/v4l/by-path or by-id."""
    if name.isdecimal():
        return f"/dev/video{name}"
    places = (Path("/dev/v4l/by-path", name), Path("/dev/v4l/by-id", name))
    return next((str(place) for place in places if name and "/" not in name and place.exists()), name)


def _format(name: str | None) -> str | None:
    if name is not None and name not in DECODERS:
        raise usage(f"format={name} cannot be decoded; known: {', '.join(DECODERS)}")
    return name


def _setting(key: str, query: Query) -> int | None:
    text = query.values.get(key, "auto")
    if text != "auto" and not text.isdecimal():
        raise usage(f"{key}={text} of a v4l2 camera is neither auto nor a whole number")
    return None if text == "auto" else query.whole(key, 0, 0)
