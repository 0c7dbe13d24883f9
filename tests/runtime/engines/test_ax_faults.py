"""Whatever fails on the board ends in one sentence, and what was taken is given back."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import AUTO_NODES, EngineError, EngineOptions, NpuOptions, open_engine
from roma_device.runtime.engines.ax import engine as ax_engine
from roma_device.runtime.engines.ax.engine import AxEngine
from tests.standin.control import HANG, NAN, SHORT, AxStandin
from tests.standin.network import NetworkRunner

from .conftest import OPTIONS, SIZE, as_board

NO_MEMORY, TIMED_OUT, NOT_READY = 0x800B0018, 0x80060027, 0x800B0010
QUESTIONS = ("GetVNPUAttr", "GetAffinity", "GetCMMUsage")
"""Without an answer to these an engine opens all the same."""


def opened(card: ModelCard, **npu: object) -> AxEngine:
    engine = open_engine(card, "ax", EngineOptions(SIZE, npu=NpuOptions(**npu)))  # type: ignore[arg-type]
    assert isinstance(engine, AxEngine)
    return engine


def test_any_call_of_opening_may_fail(ax: AxStandin, empty_card: ModelCard) -> None:
    engine = opened(empty_card, affinity=1)
    calls = ax.calls
    engine.close()
    assert len(calls) > 30
    for nth, name in enumerate(calls, 1):
        ax.fault("*", NO_MEMORY, nth)
        if name.endswith(QUESTIONS):
            opened(empty_card, affinity=1).close()
        else:
            with pytest.raises(
                (EngineError, ModelError), match=rf"{name} failed with 0x800B0018 \(system: out of memory"
            ):
                opened(empty_card, affinity=1)
        ax.clear_faults()
        assert (name, ax.violations, ax.alive(), ax.bytes_alive) == (name, [], 0, 0)
    opened(empty_card).close()
    ax.assert_clean()


def test_any_call_of_closing_may_fail(ax: AxStandin, empty_card: ModelCard) -> None:
    """What cannot be freed is left, and the rest is freed all the same."""
    engine = opened(empty_card)
    ax.reset_records()
    engine.close()
    ends = ax.calls
    for nth, name in enumerate(ends, 1):
        engine = opened(empty_card)
        ax.reset_records()
        ax.fault("*", NO_MEMORY, nth)
        engine.close()
        assert ax.calls == ends, name
        ax.clear_faults()
        ax.reset()


@pytest.mark.parametrize("call", ["AX_SYS_MflushCache", "AX_ENGINE_RunSyncV2", "AX_SYS_MinvalidateCache"])
def test_any_call_of_a_run_may_fail(ax: AxStandin, small_card: ModelCard, call: str) -> None:
    engine = opened(small_card)
    ax.fault(call, TIMED_OUT)
    with pytest.raises(EngineError, match=rf"{call} failed with 0x80060027 \(NPU: timed out\)"):
        engine.run()
    engine.run()
    assert np.isfinite(engine.outputs["disparity"]).all(), "it runs again"
    engine.close()
    ax.assert_clean()


def test_a_failing_network(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    ax.set_runner(None)
    with pytest.raises(EngineError, match=r"failed with 0x80060029 \(NPU: unexpected failure\)"):
        engine.run()
    engine.close()
    ax.assert_clean()


def test_a_hang_ends_at_the_limit(ax: AxStandin, small_card: ModelCard) -> None:
    """Nothing that the NPU may still write to is freed."""
    engine = opened(small_card, run_limit_s=0.05)
    ax.fault("AX_ENGINE_RunSyncV2", HANG)
    with pytest.raises(EngineError, match=r"the NPU did not answer within 0.05 s \(npu.run_limit_s\)"):
        engine.run()
    with pytest.raises(EngineError, match="the NPU hangs: open the engine anew"):
        engine.run()
    engine.close()
    assert engine.inputs == {} and ax.violations == [] and ax.alive("block") == 8


@pytest.mark.parametrize("call", ["AX_SYS_Init", "AX_ENGINE_CreateHandleV2", "AX_SYS_MemAllocCached"])
def test_a_hang_while_opening_ends_too(
    ax: AxStandin, empty_card: ModelCard, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(ax_engine, "OPEN_LIMIT_S", 0.1)
    monkeypatch.setattr(ax_engine, "STUCK_PATIENCE_S", 0.1)
    ax.fault(call, HANG)
    with pytest.raises(EngineError, match=r"the NPU did not answer within 0.1 s"):
        opened(empty_card)
    assert ax.violations == []
    ax.release_hanging()
    for thread in threading.enumerate():
        if thread.name == "npu":
            thread.join()
    ax.assert_clean()


def test_a_run_that_is_late_but_ends_is_waited_for_when_closing(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card, run_limit_s=0.05)
    ax.fault("AX_ENGINE_RunSyncV2", HANG)
    with pytest.raises(EngineError, match="did not answer"):
        engine.run()
    ax.release_hanging()
    engine.close()
    ax.assert_clean()


def test_a_slow_run_within_the_limit(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    ax.slow(30)
    engine.start()
    assert engine.finish() >= 30
    engine.close()
    ax.assert_clean()


def test_a_device_that_dies(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    ax.fault("*", NOT_READY, sticky=True)
    with pytest.raises(EngineError, match="the driver is not ready; is this an Axera board"):
        engine.run()
    engine.close()
    assert engine.inputs == {} and ax.calls[-1] == "AX_SYS_Deinit", "all that could be tried was"


@pytest.mark.parametrize(("status", "share"), [(NAN, 1.0), (SHORT, 0.5)])
def test_outputs_are_given_as_they_come(ax: AxStandin, small_card: ModelCard, status: int, share: float) -> None:
    engine = opened(small_card)
    before = engine.outputs["disparity"].copy()
    engine.inputs["left"][...] = np.random.default_rng(0).standard_normal(engine.inputs["left"].shape)
    ax.fault("AX_ENGINE_RunSyncV2", status)
    engine.run()
    disparity = engine.outputs["disparity"]
    assert (np.isnan(disparity) if status == NAN else disparity == before).mean() >= share
    engine.close()
    ax.assert_clean()


def test_folder_without_the_libraries(small_card: ModelCard, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=rf"libax_sys.so is not in {tmp_path}: install the board's Axera BSP"):
        opened(small_card, library_dir=tmp_path)


def test_file_that_is_no_library(small_card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "libax_sys.so").write_text("not an ELF file")
    with pytest.raises(EngineError, match=r"libax_sys.so does not load: .*libax_sys.so"):
        opened(small_card, library_dir=tmp_path)


def test_library_without_a_call_that_is_needed(standin_folder: Path, small_card: ModelCard) -> None:
    with pytest.raises(
        EngineError, match=r"libax_engine.so has no AX_ENGINE_RunSyncV2: it is too old or not the board's"
    ):
        opened(small_card, library_dir=standin_folder / "broken_sdk")


def test_the_setting_wins_over_the_environment(
    standin_folder: Path, small_card: ModelCard, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for board in as_board(standin_folder, runner, monkeypatch):
        monkeypatch.setenv("ROMA_AX_LIB_DIR", str(tmp_path))
        opened(small_card, library_dir=standin_folder).close()
        board.assert_clean()


def test_file_that_is_no_model(ax: AxStandin, small_card: ModelCard, tmp_path: Path) -> None:
    for data in (b"", b"an ONNX file, perhaps"):
        (tmp_path / "m.axmodel").write_bytes(data)
        file = ModelFile(tmp_path / "m.axmodel", hashlib.sha256(data).hexdigest())
        with pytest.raises(ModelError, match=r"m.axmodel: not a model for AX650: AX_ENGINE_GetModelType failed"):
            opened(dataclasses.replace(small_card, files={"axmodel": file}))
        ax.assert_clean()


@pytest.mark.parametrize("is_there", [True, False])
def test_auto_takes_a_board_that_is_there(
    ax: AxStandin, small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    monkeypatch.setitem(AUTO_NODES, "ax", str(tmp_path if is_there else tmp_path / "none"))
    engine = open_engine(small_card, "auto", OPTIONS)
    assert isinstance(engine, AxEngine) == is_there
    engine.close()
    assert (ax.calls == []) == (not is_there)
    ax.assert_clean()


def test_auto_tells_why_it_leaves_a_board_alone(
    ax: AxStandin,
    stereo_card: ModelCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from roma_device.app.log import set_up_log

    set_up_log(0)
    monkeypatch.setitem(AUTO_NODES, "ax", str(tmp_path))
    open_engine(stereo_card, "auto", OPTIONS).close()
    assert "ax passed over: model stereo has no axmodel file" in capsys.readouterr().err
    set_up_log(2)
