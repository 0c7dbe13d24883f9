"""What systemd hears of a run: ready once, the watchdog petted by frames alone and often enough; a reload applies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from roma_device.app.cameras.source import RateLimit
from roma_device.app.run.command import _apply
from roma_device.app.run.loop import ResizingPipeline
from roma_device.app.service import notify
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Size
from roma_device.runtime.depth import DepthLimits

from .conftest import result


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(path)
        heard.settimeout(5)
        yield heard, path


def heard_all(heard: socket.socket) -> list[bytes]:
    heard.setblocking(False)
    found = []
    try:
        while True:
            found.append(heard.recv(999).partition(b"\n")[0])
    except BlockingIOError:
        return found


def test_ready_once_and_petted_four_times_in_its_interval_by_frames_alone(
    listener: tuple[socket.socket, str], figures: LiveStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, path = listener
    now_s = 1000.0
    monkeypatch.setattr(notify.time, "monotonic", lambda: now_s)
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"})
    monitor = Monitor(Health(figures), notifier, None)
    with closing(notifier):
        assert notifier.watchdog_s == 30 and heard_all(heard) == []
        said: list[bytes] = []
        for index in range(301):  # five minutes, a frame a second
            monitor.observe(result(index))
            said += heard_all(heard)
            now_s += 1
        assert said.count(b"READY=1") == 1 and said[0] == b"READY=1"
        assert 300 / 7.5 - 3 <= said.count(b"WATCHDOG=1") <= 300 / 7.5 + 2
        now_s += 100  # no frame comes
        assert heard_all(heard) == []


def test_latency_is_in_milliseconds(figures: LiveStats) -> None:
    one = figures.add(result(0))  # taken 20 ms ago
    assert one.latency_ms is not None and 20 <= one.latency_ms < 5000 and one.skew_ms == 2.0


class Pipelines:
    """Stands in a pipeline's place, and remembers the limits."""

    def __init__(self, size: Size) -> None:
        self.rig, self.limits, self.is_closed = type("Rig", (), {"size": size})(), None, False

    def set_limits(self, limits: DepthLimits) -> None:
        self.limits = limits

    def close(self) -> None:
        self.is_closed = True


class Source:
    def __init__(self) -> None:
        self.limit = RateLimit()


def test_a_reload_applies_its_limits_also_after_frames_change_their_size() -> None:
    pipelines = ResizingPipeline(lambda size: size, Pipelines)  # type: ignore[arg-type, type-var]
    small = pipelines.for_size(Size(64, 32))
    source, new = Source(), Settings().overridden(**{"depth.min_m": 0.5, "max_fps": 5.0})
    _apply(new, pipelines, source)  # type: ignore[arg-type]
    assert small.limits == new.depth and source.limit.max_fps == 5.0
    large = pipelines.for_size(Size(128, 64))
    assert large is not small and small.is_closed and large.limits == new.depth
    assert pipelines.for_size(Size(128, 64)) is large


def test_nobody_waits_for_a_systemd_that_does_not_read(listener: tuple[socket.socket, str]) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": listener[1]})) as notifier:
        for _ in range(2000):
            notifier.status("busy")
    assert set(heard_all(listener[0])) == {b"STATUS=busy"}
