"""The header of ``roma-device bench``."""

from __future__ import annotations

import pytest

from roma_device.app.benchmark.stereo import run_bench
from roma_device.app.cameras import open_camera
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import ENGINES, engine_class, engine_facts, engine_name
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline

NPU_FACTS = {"type": "1 Core", "pulsar2 ver": "4.0", "engine ver": "2.7.2a", "cmm size": "4428624 Bytes"}


def header_of(card: ModelCard, monkeypatch: pytest.MonkeyPatch, facts: dict[str, str]) -> dict[str, str]:
    with open_camera("simulated:room?size=96x64&frames=1") as camera:
        frame = next(camera.frames())
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
    options = NetworkOptions("opencv", threads=1, input_width=96)
    with StereoPipeline(card, rectification, options) as pipeline:
        monkeypatch.setattr(pipeline.network.engine, "facts", facts)
        return dict(run_bench(pipeline, frame, repeat=2, warmup=1, threads=1).table.header)


def test_header_ends_with_what_the_engine_tells(stereo_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    header = header_of(stereo_card, monkeypatch, NPU_FACTS)
    first = ["model", "engine", "input", "camera", "threads", "type", "warmup", "repeat"]
    assert list(header) == [*first, "pulsar2 ver", "engine ver", "cmm size"]
    assert header["engine"] == "opencv" and header["warmup"] == "1" and header["cmm size"] == "4428624 Bytes"


def test_an_engine_may_tell_nothing() -> None:
    class Silent:
        inputs: dict[str, object]
        outputs: dict[str, object]

    assert engine_facts(Silent()) == {}  # type: ignore[arg-type]
    assert engine_name(Silent()) == "Silent"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ENGINES)
def test_names_are_those_of_the_table(name: str) -> None:
    kind = engine_class(name)
    assert engine_name(kind.__new__(kind)) == name
