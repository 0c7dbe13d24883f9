"""Everything that can go wrong with a card ends in one sentence, and what was taken is given back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard, ModelError, TensorSpec
from roma_device.runtime.engine import AUTO_NODES, EngineError, EngineOptions, NpuOptions, open_engine
from roma_device.runtime.engines.axcl.device import card_states
from roma_device.runtime.engines.axcl.engine import AxclEngine
from tests.standin.build import build, compiler
from tests.standin.control import HANG, NAN, SHORT, Standin

from .conftest import SIZE

OPTIONS = EngineOptions(SIZE, threads=1)
NO_MEMORY = 0x80300509


def opened(card: ModelCard) -> AxclEngine:
    engine = open_engine(card, "axcl", OPTIONS)
    assert isinstance(engine, AxclEngine)
    return engine


def calls_of_opening(axcl: Standin, card: ModelCard) -> list[str]:
    """But for the first call, which initializes AXCL once per process."""
    opened(card).close()
    axcl.reset_records()
    engine = opened(card)
    calls = axcl.calls
    engine.close()
    axcl.reset_records()
    return calls


def test_any_call_of_opening_may_fail(axcl: Standin, small_card: ModelCard) -> None:
    calls = calls_of_opening(axcl, small_card)
    failures = 0
    for nth, name in enumerate(calls, 1):
        axcl.fault("*", NO_MEMORY, nth)
        try:
            opened(small_card).close()
        except EngineError as error:
            failures += 1
            assert str(error) == f"{name} failed with 0x80300509 (memory: error 0x09, see the log of AXCL)"
        axcl.clear_faults()
        assert (name, axcl.violations, axcl.alive(), axcl.bytes_alive) == (name, [], 0, 0)
    questions = ("ModelTypeFromModelId", "Version", "UsageFromModelId", "VNpuKind")  # without an answer it goes too
    assert len(calls) > 30 and failures == len([name for name in calls if not name.endswith(questions)])
    opened(small_card).close()
    assert axcl.violations == []


@pytest.mark.parametrize("call", ["MemcpyAsync", "EngineExecuteAsync", "SynchronizeStreamWithTimeout", "network"])
def test_any_call_of_a_run_may_fail(axcl: Standin, small_card: ModelCard, call: str) -> None:
    engine = opened(small_card)
    if call == "network":
        axcl.set_runner(None)
    else:
        axcl.fault(f"axclrt{call}", 0x8030070C)
    with pytest.raises(EngineError, match=r"failed with 0x8030070C \(engine: execution failed; `axcl-smi log"):
        engine.run()
    engine.close()
    assert (axcl.violations, axcl.alive(), axcl.bytes_alive) == ([], 0, 0)


def test_an_engine_runs_again_after_a_failure(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    axcl.fault("axclrtEngineExecuteAsync", 0x8030070C)
    with pytest.raises(EngineError):
        engine.run()
    engine.run()
    assert np.isfinite(engine.outputs["disparity"]).all()
    engine.close()
    assert axcl.violations == []


def test_a_hang_ends_at_the_limit(axcl: Standin, small_card: ModelCard) -> None:
    engine = open_engine(small_card, "axcl", EngineOptions(SIZE, npu=NpuOptions(run_limit_s=0.02)))
    axcl.fault("axclrtEngineExecuteAsync", HANG)
    with pytest.raises(EngineError, match=r"0x80300305 \(stream: timed out\)"):
        engine.run()
    engine.close()
    assert (axcl.violations, axcl.alive()) == ([], 0)


def test_a_card_that_dies(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    axcl.fault("*", 0x80300181, sticky=True)
    with pytest.raises(EngineError, match="no card connected"):
        engine.run()
    engine.close()
    assert engine.inputs == {} and axcl.calls[-1] == "axclrtResetDevice", "all that could be tried was"


@pytest.mark.parametrize(("status", "share"), [(NAN, 1.0), (SHORT, 0.5)])
def test_outputs_are_given_as_they_come(axcl: Standin, small_card: ModelCard, status: int, share: float) -> None:
    engine = opened(small_card)
    axcl.fault("axclrtEngineExecuteAsync", status)
    engine.run()
    disparity = engine.outputs["disparity"]
    assert (np.isnan(disparity) if status == NAN else disparity == 0).mean() >= share
    engine.close()


def test_no_card(axcl: Standin, small_card: ModelCard) -> None:
    axcl.library.standin_set_cards(0)
    with pytest.raises(EngineError, match="AXCL finds no card: is it plugged in"):
        opened(small_card)
    assert axcl.violations == []


def test_folder_without_the_library(small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(tmp_path))
    with pytest.raises(EngineError, match=rf"libaxcl_rt.so is not in {tmp_path} \(ROMA_AX_LIB_DIR\)"):
        opened(small_card)


def test_file_that_is_no_library(small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libaxcl_rt.so").write_text("not an ELF file")
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(tmp_path))
    with pytest.raises(EngineError, match=r"libaxcl_rt.so does not load: .*libaxcl_rt.so"):
        opened(small_card)


@pytest.mark.skipif(compiler() is None, reason="needs a C compiler")
def test_older_library_without_a_call_that_matters_little(
    axcl: Standin, small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Standin(build("libaxcl_rt.so", tmp_path, "-DWITHOUT_USAGE"))
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(tmp_path))
    engine = opened(small_card)
    assert "cmm size" not in engine.facts and engine.facts["type"] == "1 Core"
    engine.close()
    assert old.violations == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TensorSpec("other", (1, 1, None, None)), "has inputs left, right; its card says other, right"),
        (TensorSpec("left", (1, 2, None, None)), r"left of the axmodel is \(1, 1, 64, 96\) of float32"),
        (TensorSpec("left", (1, 1, None, None), "uint8"), "asked for is .* of uint8"),
    ],
)
def test_model_of_another_shape(axcl: Standin, small_card: ModelCard, spec: TensorSpec, message: str) -> None:
    card = dataclasses.replace(small_card, inputs=(spec, small_card.inputs[1]))
    with pytest.raises(ModelError, match=message):
        open_engine(card, "axcl", OPTIONS)
    assert (axcl.violations, axcl.alive()) == ([], 0)


def test_model_without_an_axmodel(axcl: Standin, stereo_card: ModelCard) -> None:
    with pytest.raises(EngineError, match="has no axmodel file"):
        opened(stereo_card)


@pytest.mark.parametrize("is_there", [True, False])
def test_auto_takes_a_card_that_is_there(
    axcl: Standin, small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    monkeypatch.setitem(AUTO_NODES, "axcl", str(tmp_path if is_there else tmp_path / "none"))
    engine = open_engine(small_card, "auto", OPTIONS)
    assert isinstance(engine, AxclEngine) == is_there
    engine.close()
    assert (axcl.calls == []) == (not is_there)


def test_state_of_the_cards(axcl: Standin) -> None:
    first, second = card_states()
    assert (first.id, second.id, first.version) == (4, 5, "V3.10.2")
    assert (first.temperature_c, first.free_cmm_kib, first.npu_load_percent) == (47.25, 6 << 20, 12)
    assert (axcl.violations, axcl.alive()) == ([], 0)
    assert axcl.calls[-1] == "axclrtResetDevice"
