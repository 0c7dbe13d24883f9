"""The simulated rig as a producer: ``python feeder.py SOCKET left|right|both FPS FORMAT SIZE``.

Images are rendered beforehand; stamps are multiples of the period, so that two of these programs are synchronized.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.calibration.arrays import Image
from roma_device.runtime.grey import grey

CLIENT = Path(__file__).parents[4] / "contrib" / "pipe" / "roma_pipe.py"
SIDES = {"left": (0,), "right": (1,), "both": (0, 1)}
RENDERED = 8


def client() -> Any:
    """The client library, which is no package."""
    spec = importlib.util.spec_from_file_location("roma_pipe", CLIENT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(size: str) -> list[tuple[Image, Image]]:
    with open_camera(f"simulated:room?frames={RENDERED}&size={size}") as camera:
        return [(grey(frame.left.image), grey(frame.right.image)) for frame in camera.frames()]


def encoded(grey: Image, format: str) -> bytes:
    if format == "YUYV":
        return np.dstack([grey, np.full_like(grey, 128)]).tobytes()
    return grey.tobytes() + (bytes([128]) * (grey.size // 2) if format == "NV12" else b"")


def feed(path: str, sides: tuple[int, ...], fps: float, format: str, size: str) -> None:
    width, height = map(int, size.split("x"))
    images = [[encoded(image, format) for image in pair] for pair in rendered(size)]
    period_ns, stride = round(1e9 / fps), width * (2 if format == "YUYV" else 1)
    with client().RomaPipe(path, "simulated rig", 6, len(images[0][0])) as pipe:
        for sequence in count():
            time.sleep((period_ns - time.monotonic_ns() % period_ns) / 1e9)
            stamp_ns = time.monotonic_ns() // period_ns * period_ns
            number = stamp_ns // period_ns % RENDERED
            for side in sides:
                slot = pipe.slot()
                if slot is not None:
                    slot.view[:] = images[number][side]
                    pipe.send(slot, side, sequence, stamp_ns, width, height, stride, format)


if __name__ == "__main__":
    path, side, fps, format, size = sys.argv[1:]
    feed(path, SIDES[side], float(fps), format, size)
