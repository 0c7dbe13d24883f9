"""Figures, /healthz and /metrics, and who may ask."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import WINDOW, LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.settings.settings import MonitorSettings, Settings, SettingsError
from roma_device.app.web.server import WebError

from .conftest import result


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def watched(figures: LiveStats, tmp_path: Path) -> Iterator[tuple[Monitor, int]]:
    port = free_port()
    monitor = Monitor(Health(figures), Notifier({}), tmp_path / "status.json")
    with monitor:
        monitor.serve(f"127.0.0.1:{port}", False, "stereo")
        yield monitor, port


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_health_follows_the_frames(watched: tuple[Monitor, int]) -> None:
    monitor, port = watched
    code, text = get(port, "/healthz")
    assert code == 503 and json.loads(text)["last_frame_age_s"] is None
    for index in range(3):
        monitor.observe(result(index))
    code, text = get(port, "/healthz")
    status = json.loads(text)
    assert code == 200 and status["frames"] == 3 and status["valid_ratio"] == 0.5
    assert status["skew_ms"] == 2 and status["latency_ms"] >= 20
    monitor.health = dataclasses.replace(monitor.health, healthy_s=-1.0)
    code, text = get(port, "/healthz")
    assert code == 503 and "no frame went through" in json.loads(text)["problems"]["camera"]


def test_metrics_have_their_names_and_values(watched: tuple[Monitor, int]) -> None:
    monitor, port = watched
    monitor.stats.source.counts.drop("unpaired", 4)
    monitor.observe(result(0))
    code, text = get(port, "/metrics")
    assert code == 200
    for line in (
        "roma_frames_total 1.0",
        'roma_pairs_dropped_total{reason="unpaired"} 4.0',
        'roma_pairs_dropped_total{reason="torn"} 0.0',
        'roma_stage_duration_seconds_count{stage="engine"} 1.0',
        'roma_pair_skew_seconds_bucket{le="0.001"} 0.0',
        'roma_pair_skew_seconds_bucket{le="0.002"} 1.0',
        "roma_depth_valid_ratio 0.5",
        "roma_camera_reconnects_total 0.0",
        "roma_camera_connected 1.0",
    ):
        assert f"\n{line}\n" in text, line
    assert "roma_latency_seconds_sum" in text and "roma_mailbox_age_seconds_bucket" in text
    assert 'roma_build_info{model="stereo",version=' in text and "process_resident_memory_bytes" in text


def test_only_this_machine_is_answered_and_only_by_its_own_name(watched: tuple[Monitor, int]) -> None:
    port = watched[1]
    assert get(port, "/metrics", Host="evil.example:9470")[0] == 403
    assert get(port, "/healthz", Host="localhost:9470")[0] == 503
    assert get(port, "/secret")[0] == 404
    assert get(port, "/healthz", Host="[::1]:9470")[0] == 503


@pytest.mark.parametrize("address", ["0.0.0.0:9470", "192.168.1.4:80", "[::]:9470"])
def test_other_machines_reach_nothing_unless_the_settings_say_so(address: str) -> None:
    with pytest.raises(SettingsError, match="could be reached by other machines"):
        Settings().overridden(monitor={"listen": address})
    assert MonitorSettings(listen=address, allow_remote=True).listen == address


@pytest.mark.parametrize("address", ["9470", "localhost", "localhost:http", "nowhere.example:80", "127.0.0.1:99999"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(SettingsError, match="is no address such as"):
        Settings().overridden(monitor={"listen": address})


def test_an_address_in_use_is_one_sentence(watched: tuple[Monitor, int], figures: LiveStats) -> None:
    with (
        pytest.raises(WebError, match="Address already in use"),
        Monitor(Health(figures), Notifier({}), None) as second,
    ):
        second.serve(f"127.0.0.1:{watched[1]}", False, "stereo")


def test_the_status_file_tells_of_silence_too(watched: tuple[Monitor, int], tmp_path: Path) -> None:
    monitor, _ = watched
    monitor.stats.source.counts.is_connected = False
    deadline = time.monotonic() + 10
    while not (tmp_path / "status.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["connected"] is False and status["healthy"] is False
    assert "cameras are gone" in monitor.stats.as_line()


def test_figures_take_no_more_room_with_time(figures: LiveStats) -> None:
    for index in range(3 * WINDOW):
        figures.add(result(index))
    assert figures.frames == 3 * WINDOW and len(figures.recent) == WINDOW
    assert "dropped: none" in figures.as_line()
