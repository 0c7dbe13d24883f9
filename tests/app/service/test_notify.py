"""Word to systemd, as a socket of our own hears it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_device.app.service.notify import Notifier


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(path)
        heard.settimeout(5)
        yield heard, path


def test_states_are_told(listener: tuple[socket.socket, str]) -> None:
    heard, path = listener
    notifier = Notifier({"NOTIFY_SOCKET": path})
    assert notifier.is_active
    notifier.ready("40 fps")
    notifier.reloading()
    notifier.stopping()
    assert heard.recv(999) == b"READY=1\nSTATUS=40 fps"
    first, _, stamp = heard.recv(999).partition(b"\nMONOTONIC_USEC=")
    assert first == b"RELOADING=1" and abs(int(stamp) / 1e6 - time.monotonic()) < 60
    assert heard.recv(999) == b"STOPPING=1"
    notifier.close()


def test_the_watchdog_is_petted_at_most_four_times_per_interval(listener: tuple[socket.socket, str]) -> None:
    heard, path = listener
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())})
    for _ in range(50):
        notifier.pet()
    notifier.stopping()
    assert [heard.recv(999), heard.recv(999)] == [b"WATCHDOG=1", b"STOPPING=1"]
    notifier.close()


def test_a_watchdog_of_another_process_is_not_ours(listener: tuple[socket.socket, str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": listener[1], "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"})
    assert notifier.watchdog_s == 0
    notifier.close()


def test_abstract_sockets() -> None:
    name = f"@roma-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:])
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.status("well")
        assert heard.recv(99) == b"STATUS=well"
        notifier.close()


def test_nobody_listens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environment)
        notifier.ready("")
        notifier.pet()
        notifier.close()
