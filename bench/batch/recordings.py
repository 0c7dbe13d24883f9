"""Short recordings of textured walls, each at a distance of its own, and one that is poisoned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.cameras.simulated import virtual_rig
from roma_device.app.recording.layout import MAGIC
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.calibration.arrays import Size
from roma_device.runtime.types import Frame, StereoFrame

SIZE = Size(160, 100)
PERIOD_NS = 33_000_000


def make_recordings(folder: Path, count: int, frames: int = 2) -> Path:
    """``count`` recordings ``000``, ``001``..., which are kept where they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        if (folder / f"{seed:03d}").exists():
            continue
        made = new_session(folder.with_name(f"{folder.name}-making"), {"seed": seed}, virtual_rig(SIZE))
        with Recorder(made, wait=True, min_free_bytes=0) as recorder:
            for frame in _walls(seed, frames):
                recorder.offer(frame)
        made.rename(folder / f"{seed:03d}")
    return folder


def _walls(seed: int, frames: int) -> Iterator[StereoFrame]:
    """A texture of noise at two scales, 3 to 12 px apart."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(0, 200, (30, 50), np.uint8), (200, 120), interpolation=cv2.INTER_CUBIC)
    texture = cv2.add(coarse, rng.integers(0, 56, coarse.shape, np.uint8))
    for number in range(frames):
        shift = 3 + (seed + number) % 10
        left, right = (np.ascontiguousarray(texture[: SIZE[1], at : at + SIZE[0]]) for at in (20, 20 + shift))
        stamp_ns = 10**12 + number * PERIOD_NS
        yield StereoFrame(Frame(left, stamp_ns, number), Frame(right, stamp_ns, number))


def poison(folder: Path) -> Path:
    """A recording whose first file is damaged in its midst."""
    made = make_recordings(folder, 1) / "000"
    data = bytearray((made / "000000.pairs").read_bytes())
    data[len(MAGIC) + 200] ^= 0xFF
    (made / "000000.pairs").write_bytes(data)
    poisoned = folder / "poisoned"
    made.rename(poisoned)
    return poisoned
