"""Prometheus metrics of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from roma_device.app.recording.recorder import Recorder
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.runtime.obstacles.obstacle_map import ObstacleMap
from roma_device.runtime.types import Result

from .health import Health
from .installed_metrics import InstalledCollector
from .live_stats import FrameStats, LiveStats

STAGE_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SKEW_BUCKETS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.05)


class Metrics:
    """All metrics of one run; ``add`` is called for each frame, the rest is read when somebody asks."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, health: Health, model: str, facts: Callable[[], Mapping[str, Any]] = dict) -> None:
        """``facts``: what the run serves with, and which installed versions, as /healthz has it."""
        self._registry = CollectorRegistry()
        self._stages = self._histogram("roma_stage_duration_seconds", "Time per stage", STAGE_BUCKETS_S, ("stage",))
        self._latency = self._histogram(
            "roma_latency_seconds", "From the camera's timestamp to the last sink", STAGE_BUCKETS_S
        )
        self._mailbox = self._histogram("roma_mailbox_age_seconds", "Wait of a pair to be taken", STAGE_BUCKETS_S)
        self._skew = self._histogram("roma_pair_skew_seconds", "Time between left and right", SKEW_BUCKETS_S)
        self._frames = Counter("roma_frames_total", "Frames that went all the way through", registry=self._registry)
        self._valid = Gauge("roma_depth_valid_ratio", "Share of known pixels", registry=self._registry)
        self._last = Gauge(
            "roma_last_frame_timestamp_seconds", "When the last frame was done, since 1970", registry=self._registry
        )
        self._obstacle = Gauge(
            "roma_obstacle_distance_meters", "Nearest obstacle ahead, +Inf: none is seen", registry=self._registry
        )
        self._clear = Gauge("roma_clear_meters", "So far the ground ahead is seen to be free", registry=self._registry)
        self._ground = Gauge("roma_ground_found", "1 while the ground plane is known", registry=self._registry)
        build = Gauge("roma_build_info", "1", ("version", "model"), registry=self._registry)
        build.labels(version("roma-device"), model).set(1)
        self._registry.register(_HealthCollector(health))
        self._registry.register(InstalledCollector(facts))
        ProcessCollector(registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Iterable[float], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, text, labels, buckets=tuple(buckets), registry=self._registry)

    def add(self, result: Result, stats: FrameStats) -> None:
        for stage, duration_ms in result.times.stages_ms.items():
            self._stages.labels(stage).observe(duration_ms / 1000)
        if stats.latency_ms is not None:
            self._latency.observe(stats.latency_ms / 1000)
        self._mailbox.observe(stats.mailbox_age_ms / 1000)
        self._skew.observe(abs(stats.skew_ms) / 1000)
        self._frames.inc()
        self._valid.set(math.nan if stats.valid_ratio is None else stats.valid_ratio)
        self._last.set_to_current_time()
        if result.obstacles is not None:
            self._add_obstacles(result.obstacles)

    def _add_obstacles(self, obstacles: ObstacleMap) -> None:
        nearest = obstacles.nearest
        self._obstacle.set(math.inf if nearest is None else nearest.distance_m)
        self._clear.set(obstacles.clear_m)
        self._ground.set(obstacles.ground is not None)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)


class _HealthCollector(Collector):
    """What others count, read when it is asked for."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        health = self._health
        yield GaugeMetricFamily("roma_healthy", "1 while the run gives what it was asked for", value=health.is_good)
        yield from _of_capture(health.stats)
        yield from _of_sinks(health.sinks)
        if health.recorder is not None:
            yield from _of_recorder(health.recorder)


def _of_capture(stats: LiveStats) -> Iterator[Metric]:
    counts = stats.source.counts
    dropped = CounterMetricFamily("roma_pairs_dropped", "Frames that never became a result", labels=("reason",))
    for reason, count in counts.dropped.items():
        dropped.add_metric((reason,), count)
    yield dropped
    yield CounterMetricFamily("roma_nonsense_results", "Outputs that made no sense", value=stats.nonsense)
    yield CounterMetricFamily("roma_camera_reconnects", "Cameras that came back", value=counts.reconnects)
    yield GaugeMetricFamily("roma_camera_connected", "1 while the cameras are open", value=counts.is_connected)
    yield GaugeMetricFamily("roma_useless_frames", "Frames in a row without depth or pose", value=stats.useless)
    if (vertical_px := stats.vertical_px) is not None:
        yield GaugeMetricFamily("roma_epipolar_residual_pixels", "Rows of left and right apart", value=vertical_px)


def _of_sinks(sinks: SinkSet) -> Iterator[Metric]:
    failures = CounterMetricFamily("roma_sink_failures", "Attempts to save that failed", labels=("sink",))
    missed = CounterMetricFamily("roma_sink_missed_results", "Results that were not saved", labels=("sink",))
    working = GaugeMetricFamily("roma_sink_working", "1 while results are saved", labels=("sink",))
    for name, state in sinks.states.items():
        failures.add_metric((name,), state.failures)
        missed.add_metric((name,), state.missed)
        working.add_metric((name,), not state.problem)
    yield from (failures, missed, working)


def _of_recorder(recorder: Recorder) -> Iterator[Metric]:
    yield CounterMetricFamily("roma_recorded_pairs", "Pairs written", value=recorder.written)
    yield CounterMetricFamily("roma_recording_lost_pairs", "Pairs not written", value=recorder.lost)
    yield GaugeMetricFamily("roma_recording_working", "1 while pairs are recorded", value=not recorder.problem)
