"""Prometheus metrics of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from roma_device.app.recording.recorder import Recorder
from roma_device.runtime.types import Result

from .live_stats import FrameStats, LiveStats

STAGE_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SKEW_BUCKETS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.05)


class Metrics:
    """All metrics of one run; ``add`` is called for each frame, the rest is read when somebody asks."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, stats: LiveStats, model: str, recorder: Recorder | None) -> None:
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
        build = Gauge("roma_build_info", "1", ("version", "model"), registry=self._registry)
        build.labels(version("roma-device"), model).set(1)
        self._registry.register(_CaptureCollector(stats, recorder))
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
        self._valid.set(stats.valid_ratio)
        self._last.set_to_current_time()

    def exposition(self) -> bytes:
        return generate_latest(self._registry)


class _CaptureCollector(Collector):
    """What the capture thread counts, read when it is asked for."""

    def __init__(self, stats: LiveStats, recorder: Recorder | None) -> None:
        self._stats, self._recorder = stats, recorder

    def collect(self) -> Iterator[Metric]:
        counts = self._stats.source.counts
        dropped = CounterMetricFamily("roma_pairs_dropped", "Frames that never became a result", labels=("reason",))
        for reason, count in counts.dropped.items():
            dropped.add_metric((reason,), count)
        yield dropped
        yield CounterMetricFamily("roma_camera_reconnects", "Cameras that came back", value=counts.reconnects)
        yield GaugeMetricFamily("roma_camera_connected", "1 while the cameras are open", value=counts.is_connected)
        if (vertical_px := self._stats.vertical_px) is not None:
            yield GaugeMetricFamily("roma_epipolar_residual_pixels", "Rows of left and right apart", value=vertical_px)
        if self._recorder is not None:
            yield CounterMetricFamily("roma_recorded_pairs", "Pairs written", value=self._recorder.written)
            yield CounterMetricFamily("roma_recording_lost_pairs", "Pairs not written", value=self._recorder.lost)
