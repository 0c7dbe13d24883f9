"""The engine for PCIe cards on the stand-in library: what the engine on the board has not."""

from __future__ import annotations

import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineError, EngineOptions, NpuOptions, engine_facts, open_engine
from tests.standin.control import Standin

from .conftest import OPTIONS, SIZE


def test_order_of_closing_is_the_documented_one(axcl: Standin, small_card: ModelCard) -> None:
    engine = open_engine(small_card, "axcl", OPTIONS)
    before = len(axcl.calls)
    engine.close()
    calls = axcl.calls[before:]
    ends = ["axclrtEngineDestroyIO", "axclrtEngineDestroyIOInfo", "axclrtEngineUnload", "axclrtEngineFinalize"]
    ends += ["axclrtDestroyStream", "axclrtDestroyContext", "axclrtResetDevice", "axclFinalize"]
    assert [call for call in calls if call in ends] == ends
    assert calls.count("axclrtFree") == calls.count("axclrtFreeHost") == 4
    assert calls.index("axclrtEngineDestroyIO") < calls.index("axclrtFree") < calls.index("axclrtEngineUnload")


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
