"""The engines for NPUs, on the board and on a card: same numbers as the host, no rule broken, nothing left."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Engine, EngineError, engine_facts
from roma_device.runtime.tensors.inputs import set_inputs
from tests.standin.network import NetworkRunner

from .conftest import Npu, expected, fill


def resident_kib() -> int:
    """Memory that is in use: what was freed goes back to the system first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def test_same_bits_as_the_host_engine(npu: Npu, small_card: ModelCard, runner: NetworkRunner) -> None:
    engine = npu.open(small_card)
    for seed in range(3):
        fill(engine, seed)
        engine.run()
        for name, array in expected(runner, seed).items():
            assert np.array_equal(engine.outputs[name], array)
    engine.close()
    npu.standin.assert_clean()


def test_inputs_start_as_zeros_and_all_stay_the_same_arrays(npu: Npu, small_card: ModelCard) -> None:
    engine = npu.open(small_card)
    arrays = {**engine.inputs, **engine.outputs}
    assert all(not array.any() for array in engine.inputs.values())
    fill(engine)
    engine.run()
    assert all({**engine.inputs, **engine.outputs}[name] is array for name, array in arrays.items())
    with pytest.raises(TypeError):
        engine.inputs["left"] = np.zeros((1, 1, 64, 96), np.float32)  # type: ignore[index]
    engine.close()
    npu.standin.assert_clean()


def test_closed_is_closed(npu: Npu, small_card: ModelCard) -> None:
    engine = npu.open(small_card)
    engine.close()
    engine.close()
    npu.standin.assert_clean()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.run()


def test_opened_run_and_closed_in_three_threads(npu: Npu, small_card: ModelCard, runner: NetworkRunner) -> None:
    engines: list[Engine] = []
    results: list[np.ndarray] = []

    def run() -> None:
        fill(engines[0])
        engines[0].run()
        results.append(engines[0].outputs["disparity"].copy())

    for step in (lambda: engines.append(npu.open(small_card)), run, lambda: engines[0].close()):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert np.array_equal(results[0], expected(runner)["disparity"])
    npu.standin.assert_clean()


def test_two_engines_share_the_runtime(npu: Npu, small_card: ModelCard) -> None:
    begin, end = {
        "axcl": (("axclInit", "axclrtEngineInit"), ("axclrtEngineFinalize", "axclrtEngineFinalize")),
        "ax": (("AX_SYS_Init", "AX_ENGINE_Init"), ("AX_SYS_Deinit", "AX_ENGINE_Deinit")),
    }[npu.engine]
    first, second = npu.open(small_card), npu.open(small_card)
    for engine in (first, second, first):
        fill(engine)
        engine.run()
    first.close()
    second.run()
    assert [npu.standin.calls.count(call) for call in begin + end] == [1, 1, 0, 0]
    second.close()
    assert [npu.standin.calls.count(call) for call in begin + end] == [1, 1, 1, 1]
    npu.standin.assert_clean()


@pytest.mark.slow
def test_a_thousand_cycles_leave_nothing(npu: Npu, empty_card: ModelCard) -> None:
    """A set of buffers has 55 KiB: one that leaked per cycle would be 54 MiB in the end.

    Counted from the thousandth cycle on: until then the allocator's own pools still grow.
    """
    begin = 0
    for cycle in range(2000):
        engine = npu.open(empty_card)
        engine.run()
        engine.close()
        begin = resident_kib() if cycle == 999 else begin
    growth_kib = resident_kib() - begin
    print(f"{npu.engine}: resident memory grew by {growth_kib} KiB in 1000 cycles")
    assert growth_kib < 2048 and threading.active_count() < 10
    npu.standin.assert_clean()


@pytest.mark.parametrize(
    "stored",
    [
        lambda image: image.astype(np.float64),
        np.asfortranarray,
        lambda image: np.repeat(image, 2, axis=-1)[..., ::2],
        lambda image: np.frombuffer(image.tobytes(), np.float32).reshape(image.shape),  # read-only
        lambda image: image.astype(">f4"),
        lambda image: image.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
    ],
    ids=["float64", "fortran", "strided", "read-only", "big-endian", "transposed"],
)
def test_any_storage_of_an_input_gives_the_same_result(
    npu: Npu, small_card: ModelCard, runner: NetworkRunner, stored: Callable[[np.ndarray], np.ndarray]
) -> None:
    engine = npu.open(small_card)
    fill(engine)
    set_inputs(engine.inputs, {name: stored(array.copy()) for name, array in engine.inputs.items()})
    engine.run()
    assert np.array_equal(engine.outputs["disparity"], expected(runner)["disparity"])
    engine.close()
    npu.standin.assert_clean()


def test_facts_are_those_of_the_vendors_benchmark(npu: Npu, small_card: ModelCard) -> None:
    engine = npu.open(small_card)
    facts = engine_facts(engine)
    assert facts["type"] == "1 Core" and facts["vnpu"] == "disable" and facts["batch"] == "{ auto: 1 }"
    if npu.engine == "axcl":
        assert facts["axclrt ver"] == "3.10.2" and facts["pulsar2 ver"] == "4.0 standin"
        assert int(facts["cmm size"].removesuffix(" Bytes")) == len(small_card.files["onnx"].read())
    else:
        assert facts["chip"] == "AX650" and facts["affinity"] == "0b001" and facts["engine ver"] == "2.7.2a-standin"
        assert int(facts["cmm size"].removesuffix(" Bytes")) == len(small_card.files["axmodel"].read())
    engine.close()
