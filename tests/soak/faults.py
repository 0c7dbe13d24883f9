"""Faults of the soak: each happens within its ``with`` block, and is over or cured at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from roma_device.app.cameras.v4l2 import abi as abi
from roma_device.app.run.loop import stop_on_signals
from tests.app.cameras.v4l2.test_v4l2 import Rig
from tests.descriptors import no_descriptors

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
AWAY_S = 0.3


@dataclass(frozen=True)
class Attacked:
    """What faults can reach."""

    folder: Path  # with out/ and settings.yaml
    port: int  # of the web server
    rig: Rig


Fault = Callable[[Attacked], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def folder_removed(attacked: Attacked) -> Iterator[None]:
    shutil.rmtree(attacked.folder / "out", ignore_errors=True)
    yield


@contextlib.contextmanager
def file_in_the_way(attacked: Attacked) -> Iterator[None]:
    shutil.rmtree(attacked.folder / "out", ignore_errors=True)
    (attacked.folder / "out").write_text("in the way")
    yield
    (attacked.folder / "out").unlink()


def without_descriptors(attacked: Attacked) -> contextlib.AbstractContextManager[None]:
    return no_descriptors()


@contextlib.contextmanager
def clients_hold_on(attacked: Attacked) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", attacked.port), timeout=5))
            client.sendall(b"GET /metr")
        yield


@contextlib.contextmanager
def evil_reload(attacked: Attacked) -> Iterator[None]:
    (attacked.folder / "settings.yaml").write_text(BOMB)
    os.kill(os.getpid(), signal.SIGHUP)
    yield
    (attacked.folder / "settings.yaml").write_text("max_fps: 5.0\n")
    os.kill(os.getpid(), signal.SIGHUP)


@contextlib.contextmanager
def signal_storm(attacked: Attacked) -> Iterator[None]:
    """SIGHUP a hundred times, between and within frames; a request to stop is heard meanwhile."""
    with stop_on_signals(force=lambda code: None) as stop:
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        if not stop.wait(5):
            raise AssertionError("SIGTERM was not heard")
        yield


@contextlib.contextmanager
def camera_unplugged(attacked: Attacked) -> Iterator[None]:
    """One of the two vanishes and comes back by itself: the next frame waits for it."""
    attacked.rig.left.is_there = False
    timer = threading.Timer(AWAY_S, setattr, (attacked.rig.left, "is_there", True))
    timer.start()
    yield
    timer.join()


@contextlib.contextmanager
def damaged_buffers(attacked: Attacked) -> Iterator[None]:
    """Each second pair has a left buffer that the driver calls broken."""
    with _delivering(attacked.rig, lambda frame: setattr(frame, "flags", abi.BUF_FLAG_ERROR)):
        yield


@contextlib.contextmanager
def camera_covered(attacked: Attacked) -> Iterator[None]:
    """Each second left image is black."""
    with _delivering(attacked.rig, lambda frame: setattr(frame, "data", bytes(len(frame.data)))):
        yield


@contextlib.contextmanager
def _delivering(rig: Rig, spoil: Callable[[object], object]) -> Iterator[None]:
    def deliver() -> None:
        rig.deliver()
        if rig.number % 2 and rig.left.frames:
            spoil(rig.left.frames[-1])

    rig.on_wait = deliver
    yield
    rig.on_wait = rig.deliver


FAULTS: tuple[Fault, ...] = (
    folder_removed,
    file_in_the_way,
    without_descriptors,
    clients_hold_on,
    evil_reload,
    signal_storm,
    camera_unplugged,
    damaged_buffers,
    camera_covered,
)
