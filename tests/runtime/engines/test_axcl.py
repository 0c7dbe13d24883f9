"""The engine for PCIe cards on the stand-in library: what the engine on the board has not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineError, EngineOptions, NpuOptions, engine_facts, open_engine
from roma_device.runtime.engines.axcl import device as axcl_device
from roma_device.runtime.engines.axcl import engine as axcl_engine
from roma_device.runtime.engines.vendor import VendorLibrary
from tests.standin.control import Standin
from tests.standin.network import NetworkRunner

from .conftest import OPTIONS, SIZE, expected, fill


def test_order_of_closing_is_the_documented_one(axcl: Standin, small_card: ModelCard) -> None:
    engine = open_engine(small_card, "axcl", OPTIONS)
    before = len(axcl.calls)
    engine.close()
    calls = axcl.calls[before:]
    ends = ["axclrtEngineDestroyIO", "axclrtEngineDestroyIOInfo", "axclrtEngineUnload", "axclrtEngineFinalize"]
    ends += ["axclrtDestroyStream", "axclrtDestroyContext", "axclrtResetDevice"]
    assert [call for call in calls if call in ends] == ends
    assert calls.count("axclrtFree") == calls.count("axclrtFreeHost") == 4
    assert calls.index("axclrtEngineDestroyIO") < calls.index("axclrtFree") < calls.index("axclrtEngineUnload")


def test_axcl_is_initialized_once_per_process_and_ended_with_it(standin_folder: Path, bundle: str) -> None:
    """In a process of its own, as its end is what matters."""
    program = f"""
import os
from roma_device.app.model_store import find_model
from roma_device.runtime.engine import EngineOptions, open_engine
from tests.standin.control import Standin
import atexit
standin = Standin(os.environ["ROMA_AX_LIB_DIR"] + "/libaxcl_rt.so")
atexit.register(lambda: print(*standin.calls, standin.violations))
for _ in range(3):
    open_engine(find_model({bundle!r}), "axcl", EngineOptions({SIZE!r})).close()
"""
    environment = {**os.environ, "ROMA_AX_LIB_DIR": str(standin_folder)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    calls = done.stdout.split()
    assert (calls.count("axclInit"), calls.count("axclFinalize"), calls[-2:]) == (1, 1, ["axclFinalize", "[]"])


def test_an_initialization_that_failed_is_tried_again(axcl: Standin, small_card: ModelCard) -> None:
    axcl.fault("axclInit", 0x8030010B)
    with pytest.raises(EngineError, match="cannot open the device"):
        open_engine(small_card, "axcl", OPTIONS)
    open_engine(small_card, "axcl", OPTIONS).close()
    axcl.assert_clean()


def test_a_card_that_hangs_while_it_is_opened(
    axcl: Standin, small_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_back = threading.Event()
    monkeypatch.setattr(axcl_engine, "OPEN_LIMIT_S", 0.05)
    monkeypatch.setattr(axcl_engine.AxclEngine, "_load", lambda *_: come_back.wait())
    with pytest.raises(EngineError, match=r"did not answer within 0.05 s"):
        open_engine(small_card, "axcl", OPTIONS)
    assert axcl_device.RUNTIME.hangs
    come_back.set()
    for thread in threading.enumerate():
        if thread.name == "axcl":
            thread.join()


def without_streams(self: VendorLibrary, function: str) -> bool:
    return function != "axclrtEngineExecuteAsync" and hasattr(self._library, function)


def test_a_library_that_cannot_run_in_a_stream(
    axcl: Standin, small_card: ModelCard, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VendorLibrary, "has", without_streams)
    engine = open_engine(small_card, "axcl", OPTIONS)
    fill(engine)
    engine.run()
    found = {name: array.copy() for name, array in engine.outputs.items()}
    engine.close()
    assert all(np.array_equal(found[name], array) for name, array in expected(runner).items())
    assert "axclrtEngineExecuteAsync" not in axcl.calls
    axcl.assert_clean()


def test_settings_reach_the_card(axcl: Standin, small_card: ModelCard) -> None:
    options = NpuOptions(mode="big_little", device=1, affinity=0b10)
    engine = open_engine(small_card, "axcl", EngineOptions(SIZE, npu=options))
    assert engine_facts(engine)["vnpu"] == "big_little" and "axclrtEngineSetAffinity" in axcl.calls
    engine.run()
    engine.close()
    axcl.assert_clean()


def test_two_cards_at_once(axcl: Standin, small_card: ModelCard) -> None:
    engines = [open_engine(small_card, "axcl", EngineOptions(SIZE, npu=NpuOptions(device=device))) for device in (0, 1)]
    for engine in engines:
        engine.run()
    for engine in engines:
        engine.close()
    assert axcl.calls.count("axclrtEngineInit") == axcl.calls.count("axclrtEngineFinalize") == 2
    axcl.assert_clean()


def test_a_card_that_is_not_there(axcl: Standin, small_card: ModelCard) -> None:
    with pytest.raises(EngineError, match="there is no card 2: AXCL finds 2, counted from 0"):
        open_engine(small_card, "axcl", EngineOptions(SIZE, npu=NpuOptions(device=2)))
    axcl.assert_clean()
