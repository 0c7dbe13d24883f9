"""The engine on the board: order of calls, memory, modes of the NPU, chips and SDKs, two frames at a time."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import DTYPES, ModelCard, ModelError, TensorSpec
from roma_device.runtime.engine import EngineError, EngineOptions, NpuOptions, OverlappingEngine, open_engine
from roma_device.runtime.engines.ax.engine import AxEngine
from tests.standin.control import AxStandin
from tests.standin.network import NetworkRunner, standin_card

from .conftest import OPTIONS, SIZE, as_board, expected, fill

MODE_NUMBERS = {"disable": 0, "enable": 1, "big_little": 2, "little_big": 3}


def opened(card: ModelCard, **npu: object) -> AxEngine:
    engine = open_engine(card, "ax", EngineOptions(SIZE, npu=NpuOptions(**npu)))  # type: ignore[arg-type]
    assert isinstance(engine, AxEngine)
    return engine


def test_calls_of_a_life(ax: AxStandin, small_card: ModelCard) -> None:
    """The mode in use is asked for before the NPU is initialized, and all is given back in reverse order."""
    engine = opened(small_card)
    opening = ax.calls
    ax.reset_records()
    engine.run()
    running = ax.calls
    ax.reset_records()
    engine.close()
    assert opening[:3] == ["AX_SYS_Init", "AX_ENGINE_GetVNPUAttr", "AX_ENGINE_Init"]
    assert opening.index("AX_SYS_MemQueryStatus") < opening.index("AX_ENGINE_CreateHandleV2")
    assert opening.count("AX_SYS_MemAllocCached") == 8 and "AX_SYS_MemAlloc" not in opening
    flush, run, invalidate = "AX_SYS_MflushCache", "AX_ENGINE_RunSyncV2", "AX_SYS_MinvalidateCache"
    assert running == [flush, flush, run, invalidate, invalidate]
    ends = ["AX_ENGINE_DestroyHandle", "AX_ENGINE_Deinit", "AX_SYS_Deinit"]
    assert ax.calls == ["AX_SYS_MemFree"] * 8 + ends
    ax.assert_clean()


def test_arrays_are_the_memory_of_the_npu(ax: AxStandin, small_card: ModelCard) -> None:
    """So that an input is written once and an output never copied."""
    engine = opened(small_card)
    for array in (*engine.inputs.values(), *engine.outputs.values()):
        physical, kind = ctypes.c_uint64(), ctypes.c_int32()
        found = ax.library.AX_SYS_MemGetBlockInfoByVirt(
            ctypes.c_void_p(array.ctypes.data), ctypes.byref(physical), ctypes.byref(kind)
        )
        assert found == 0 and physical.value % 128 == 0 and array.flags.c_contiguous
    assert not any(array.flags.writeable for array in engine.outputs.values())
    engine.close()


def test_model_file_is_mapped_only_while_it_loads(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    gc.collect()
    assert str(small_card.files["axmodel"].path) not in Path("/proc/self/maps").read_text()
    engine.run()
    engine.close()
    ax.assert_clean()


def test_two_frames_at_a_time(ax: AxStandin, small_card: ModelCard, runner: NetworkRunner) -> None:
    engine = opened(small_card)
    assert isinstance(engine, OverlappingEngine)
    results: list[np.ndarray] = []
    fill(engine, 0)
    engine.start()
    for seed in range(1, 6):
        fill(engine, seed)
        engine.start()
        with pytest.raises(EngineError, match="both sets of buffers are in use"):
            engine.start()
        with pytest.raises(EngineError, match="an inference is under way"):
            engine.run()
        assert engine.finish() > 0
        results.append(engine.outputs["disparity"].copy())
    engine.finish()
    results.append(engine.outputs["disparity"].copy())
    with pytest.raises(EngineError, match="no inference is under way"):
        engine.finish()
    engine.close()
    for seed, result in enumerate(results):
        assert np.array_equal(result, expected(runner, seed)["disparity"])
    ax.assert_clean()


def test_closing_with_frames_under_way(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    engine.start()
    engine.start()
    engine.close()
    ax.assert_clean()


@pytest.mark.parametrize("wanted", ["auto", "enable"])
def test_mode_of_another_program_is_respected(ax: AxStandin, small_card: ModelCard, wanted: str) -> None:
    ax.set_mode(MODE_NUMBERS["enable"])
    engine = opened(small_card, mode=wanted)
    assert engine.facts["vnpu"] == "enable"
    engine.close()
    ax.assert_clean()


def test_mode_against_another_program_is_refused(ax: AxStandin, small_card: ModelCard) -> None:
    ax.set_mode(MODE_NUMBERS["enable"])
    with pytest.raises(EngineError, match=r"the NPU is in mode enable, which another program chose, and npu.mode asks"):
        opened(small_card, mode="disable")
    ax.assert_clean()


def test_settings_reach_the_npu(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card, mode="little_big", affinity=0b110)
    assert (engine.facts["vnpu"], engine.facts["affinity"]) == ("little_big", "0b110")
    engine.close()
    ax.assert_clean()


@pytest.mark.parametrize(
    ("cores", "mode", "fits"), [(3, "disable", True), (3, "big_little", False), (2, "enable", False)]
)
def test_models_for_more_cores_than_the_mode_gives(
    ax: AxStandin, stereo_card: ModelCard, tmp_path: Path, cores: int, mode: str, fits: bool
) -> None:
    card = standin_card(stereo_card, SIZE, tmp_path / "m.axmodel", facts=(f"type {cores - 1}",), network=b"")
    if fits:
        engine = opened(card, mode=mode)
        assert engine.facts["type"] == f"{cores} Core"
        engine.close()
    else:
        with pytest.raises(ModelError, match=f"compiled for {cores} Core, which the NPU's mode {mode} does not take"):
            opened(card, mode=mode)
    ax.assert_clean()


@pytest.mark.parametrize(
    ("variant", "chip", "kind"),
    [
        ("ax620e", "AX620E", "Half Core"),
        ("old_sdk", "AX650", "1 Core"),
        ("m57h", "M57H", "1 Core"),
        ("bare_sdk", "M57H", "1 Core"),
    ],
)
def test_other_chips_and_older_libraries(
    standin_folder: Path,
    small_card: ModelCard,
    runner: NetworkRunner,
    monkeypatch: pytest.MonkeyPatch,
    variant: str,
    chip: str,
    kind: str,
) -> None:
    for board in as_board(standin_folder / variant, runner, monkeypatch):
        engine = opened(small_card)
        assert (engine.facts["chip"], engine.facts["type"]) == (chip, kind)
        assert ("affinity" in engine.facts) == (variant not in ("m57h", "bare_sdk"))
        assert ("cmm size" in engine.facts) == (variant != "bare_sdk")
        fill(engine)
        engine.run()
        assert np.array_equal(engine.outputs["disparity"], expected(runner)["disparity"])
        engine.close()
        board.assert_clean()


def test_a_mode_that_the_chip_has_not(
    standin_folder: Path, small_card: ModelCard, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for board in as_board(standin_folder / "ax620e", runner, monkeypatch):
        with pytest.raises(EngineError, match=r"npu\.mode is big_little: AX620E knows auto, disable, enable"):
            opened(small_card, mode="big_little")
        board.assert_clean()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("layout", "shape"), [("NCHW", (1, 1, 64, 96)), ("NHWC", (1, 64, 96, 3)), ("NV12", (1, 96, 96, 1))]
)
def test_types_and_layouts_of_the_card(
    ax: AxStandin, stereo_card: ModelCard, tmp_path: Path, dtype: str, layout: str, shape: tuple[int, ...]
) -> None:
    """Every bit of an input reaches the network as it was written."""
    inputs = tuple(TensorSpec(name, shape, dtype, layout) for name in ("left", "right"))  # type: ignore[arg-type]
    outputs = tuple(TensorSpec(name, shape, dtype) for name in ("disparity", "certainty"))
    card = dataclasses.replace(stereo_card, inputs=inputs, outputs=outputs, normalization="in_graph")
    card = standin_card(card, SIZE, tmp_path / "m.axmodel", network=b"")
    engine = opened(card)
    rng = np.random.default_rng(0)
    for array in engine.inputs.values():
        assert (array.shape, array.dtype) == (shape, np.dtype(DTYPES[dtype]))
        array.view(np.uint8)[...] = rng.integers(0, 256, array.view(np.uint8).shape)
    engine.run()
    assert engine.outputs["disparity"].tobytes() == engine.inputs["left"].tobytes()
    assert engine.outputs["certainty"].tobytes() == engine.inputs["right"].tobytes()
    engine.close()
    ax.assert_clean()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TensorSpec("other", (1, 1, None, None)), "has inputs left, right; its card says other, right"),
        (TensorSpec("left", (1, 2, None, None)), "left is 1x1x64x96 float32, asked for is 1x2x64x96 float32"),
        (TensorSpec("left", (1, 1, None, None), "uint8"), "asked for is 1x1x64x96 uint8"),
    ],
)
def test_model_of_another_shape(ax: AxStandin, small_card: ModelCard, spec: TensorSpec, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        opened(dataclasses.replace(small_card, inputs=(spec, small_card.inputs[1])))
    ax.assert_clean()


def test_model_with_several_sizes(ax: AxStandin, stereo_card: ModelCard, tmp_path: Path) -> None:
    card = standin_card(stereo_card, SIZE, tmp_path / "m.axmodel", facts=("groups 2",), network=b"")
    with pytest.raises(ModelError, match="has 2 groups of shapes; compile it for one size"):
        opened(card)
    ax.assert_clean()


def test_short_cmm_is_told_before_loading(ax: AxStandin, small_card: ModelCard) -> None:
    ax.set_cmm(2 << 20)
    with pytest.raises(EngineError, match=r"CMM short: 2 MiB free, 4 MiB needed for the model's weights alone"):
        opened(small_card)
    assert "AX_ENGINE_CreateHandleV2" not in ax.calls
    ax.assert_clean()
    ax.set_cmm(len(small_card.files["axmodel"].read()) + (1 << 16))
    with pytest.raises(EngineError, match=r"CMM short: 0 MiB free, 1 MiB needed for inputs and outputs"):
        opened(small_card)
    ax.assert_clean()


def test_state_of_cmm_is_among_the_facts(ax: AxStandin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    assert engine.facts["cmm"] == "252 of 256 MiB free"
    engine.close()


def test_card_without_a_compiled_model(ax: AxStandin, stereo_card: ModelCard) -> None:
    with pytest.raises(EngineError, match="has no axmodel file, which the NPU needs; compile its ONNX with Pulsar2"):
        open_engine(stereo_card, "ax", OPTIONS)
    assert ax.calls == []
