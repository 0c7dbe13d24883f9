"""Models of several graphs on NPUs: the host engine's bits, a limit for each run, no rule broken, nothing left."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from roma_device.app.model_store import find_model
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import (
    Engine,
    EngineError,
    EngineOptions,
    NpuOptions,
    OverlappingEngine,
    engine_facts,
    open_engine,
)
from tests.standin.control import HANG, AxStandin
from tests.standin.network import HOST_ENGINE, StagedRunner, staged_standin_card

from .conftest import OPTIONS, SIZE, Npu, fill


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return staged_standin_card(find_model("stereo-large"), SIZE, tmp_path_factory.mktemp("staged"))


@pytest.fixture(scope="module")
def staged_runner(card: ModelCard) -> StagedRunner:
    return StagedRunner(card, SIZE)


@pytest.fixture(scope="module")
def host(card: ModelCard) -> Engine:
    return open_engine(card, HOST_ENGINE, EngineOptions(SIZE, threads=1))


def expected(host: Engine, seed: int) -> dict[str, np.ndarray]:
    fill(host, seed)
    host.run()
    return {name: array.copy() for name, array in host.outputs.items()}


def assert_same(engine: Engine, host: Engine, seed: int) -> None:
    for name, array in expected(host, seed).items():
        assert np.array_equal(engine.outputs[name], array)


def test_same_bits_as_the_host_engine(npu: Npu, card: ModelCard, staged_runner: StagedRunner, host: Engine) -> None:
    npu.standin.set_runner(staged_runner.callback)
    engine = npu.open(card)
    assert engine_facts(engine)["graphs"] == str(1 + card.passes(None))
    for seed in range(2):
        fill(engine, seed)
        engine.run()
        assert_same(engine, host, seed)
    engine.close()
    npu.standin.assert_clean()


def test_two_frames_on_their_way_do_not_meet(
    ax: AxStandin, card: ModelCard, staged_runner: StagedRunner, host: Engine
) -> None:
    ax.set_runner(staged_runner.callback)
    engine = open_engine(card, "ax", OPTIONS)
    assert isinstance(engine, OverlappingEngine)
    fill(engine, 0)
    engine.start()
    for seed in range(1, 4):
        fill(engine, seed)
        engine.start()
        assert engine.finish() > 0
        assert_same(engine, host, seed - 1)
    engine.finish()
    assert_same(engine, host, 3)
    engine.close()
    ax.assert_clean()


def test_a_fault_in_a_later_run_is_told_and_the_next_frame_is_right(
    npu: Npu, card: ModelCard, staged_runner: StagedRunner, host: Engine
) -> None:
    npu.standin.set_runner(staged_runner.callback)
    engine = npu.open(card)
    npu.standin.fault(npu.run_call, 0x8030070C, 3)
    fill(engine, 0)
    with pytest.raises(EngineError, match="0x8030070C"):
        engine.run()
    fill(engine, 1)
    engine.run()
    assert_same(engine, host, 1)
    engine.close()
    npu.standin.assert_clean()


def test_the_limit_is_that_of_one_run(ax: AxStandin, card: ModelCard, staged_runner: StagedRunner) -> None:
    """Together the runs take longer than it."""
    ax.set_runner(staged_runner.callback)
    engine = open_engine(card, "ax", dataclasses.replace(OPTIONS, npu=NpuOptions(run_limit_s=1.0)))
    ax.slow(300)
    fill(engine, 0)
    engine.run()
    ax.slow(0)
    ax.fault("AX_ENGINE_RunSyncV2", HANG, 2)
    with pytest.raises(EngineError, match=r"did not answer within 1 s \(npu.run_limit_s\)"):
        engine.run()
    ax.release_hanging()
    engine.close()


def test_a_stage_without_its_compiled_file_is_named(npu: Npu, card: ModelCard) -> None:
    first, second = card.stages
    lacking = dataclasses.replace(second, files={"onnx": second.files["onnx"]})
    with pytest.raises(EngineError, match="model stereo-large/refinement has no axmodel file"):
        npu.open(dataclasses.replace(card, stages=(first, lacking)))
    npu.standin.assert_clean()
