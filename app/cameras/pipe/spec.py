"""Parser of ``pipe:SOCKET?KEY=VALUE`` on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from roma_device.app.cameras.query import Query, usage

KEYS = ("max_skew_ms", "timeout_s", "reconnect_s", "wait_s")
LONGEST_PATH_BYTES = 107
"""What the kernel takes as the name of a socket."""


@dataclass(frozen=True, slots=True)
class PipeSpec:
    """``pipe:SOCKET[?KEY=VALUE&...]``."""

    socket: str  # path of the socket, which is made
    max_skew_ms: float = 10.0
    timeout_s: float = 1.5  # without a frame: a producer counts as stopped
    reconnect_s: float = 20.0  # how long to wait for producers that are gone
    wait_s: float = 20.0  # how long to wait for the first pair

    @classmethod
    def parse(cls, text: str) -> PipeSpec:
        """Raises CameraError for an unknown key or value, or a path that no socket can have."""
        path, query = Query.split(text, "pipe camera", KEYS)
        if not path:
            raise usage("a pipe camera needs the path of a socket, such as pipe:/run/roma-device/camera.sock")
        if len(path.encode()) > LONGEST_PATH_BYTES:
            raise usage(f"{path} is too long for a socket: {LONGEST_PATH_BYTES} bytes are the most")
        return cls(
            path,
            query.number("max_skew_ms", 10.0, 0.01, 1000),
            query.number("timeout_s", 1.5, 0.1, 3600),
            query.number("reconnect_s", 20.0, 0, math.inf),
            query.number("wait_s", 20.0, 0, math.inf),
        )
