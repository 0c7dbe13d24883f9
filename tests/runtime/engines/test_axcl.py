"""The engine for PCIe cards on the stand-in library: same numbers as the host, no rule broken, nothing left."""

from __future__ import annotations

import dataclasses
import hashlib
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from roma_device.runtime.card import ModelCard, ModelFile
from roma_device.runtime.engine import Engine, EngineOptions, engine_facts, open_engine
from tests.standin.control import Runner, Standin
from tests.standin.network import NetworkRunner

from .conftest import SIZE

OPTIONS = EngineOptions(SIZE, threads=1)


def opened(card: ModelCard) -> Engine:
    return open_engine(card, "axcl", OPTIONS)


def fill(engine: Engine, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for array in engine.inputs.values():
        array[...] = rng.standard_normal(array.shape, np.float32)


def expected(runner: NetworkRunner, seed: int = 0) -> dict[str, np.ndarray]:
    fill(runner.engine, seed)
    runner.engine.run()
    return {name: array.copy() for name, array in runner.engine.outputs.items()}


def assert_clean(axcl: Standin) -> None:
    assert axcl.violations == []
    assert (axcl.alive(), axcl.bytes_alive) == (0, 0)


def test_same_bits_as_the_host_engine(axcl: Standin, small_card: ModelCard, runner: NetworkRunner) -> None:
    engine = opened(small_card)
    for seed in range(3):
        fill(engine, seed)
        engine.run()
        for name, array in expected(runner, seed).items():
            assert np.array_equal(engine.outputs[name], array)
    engine.close()
    assert_clean(axcl)


def test_buffers_start_as_zeros_and_stay_the_same_arrays(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    arrays = {**engine.inputs, **engine.outputs}
    assert all(not array.any() for array in arrays.values())
    fill(engine)
    engine.run()
    assert all({**engine.inputs, **engine.outputs}[name] is array for name, array in arrays.items())
    engine.close()
    assert_clean(axcl)


def test_closing_twice_is_fine(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    engine.close()
    engine.close()
    assert_clean(axcl)


def test_order_of_closing_is_the_documented_one(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    before = len(axcl.calls)
    engine.close()
    calls = axcl.calls[before:]
    ends = ["axclrtEngineDestroyIO", "axclrtEngineDestroyIOInfo", "axclrtEngineUnload", "axclrtEngineFinalize"]
    ends += ["axclrtDestroyStream", "axclrtDestroyContext", "axclrtResetDevice", "axclFinalize"]
    assert [call for call in calls if call in ends] == ends
    assert calls.count("axclrtFree") == calls.count("axclrtFreeHost") == 4
    assert calls.index("axclrtEngineDestroyIO") < calls.index("axclrtFree") < calls.index("axclrtEngineUnload")


def test_opened_run_and_closed_in_three_threads(axcl: Standin, small_card: ModelCard, runner: NetworkRunner) -> None:
    engines: list[Engine] = []
    results: list[np.ndarray] = []

    def run() -> None:
        fill(engines[0])
        engines[0].run()
        results.append(engines[0].outputs["disparity"].copy())

    for step in (lambda: engines.append(opened(small_card)), run, lambda: engines[0].close()):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert np.array_equal(results[0], expected(runner)["disparity"])
    assert_clean(axcl)


def test_two_engines_share_the_runtime(axcl: Standin, small_card: ModelCard) -> None:
    first, second = opened(small_card), opened(small_card)
    for engine in (first, second, first):
        fill(engine)
        engine.run()
    assert axcl.calls.count("axclInit") == axcl.calls.count("axclrtEngineInit") == 1
    first.close()
    second.run()
    second.close()
    assert axcl.calls.count("axclFinalize") == axcl.calls.count("axclrtEngineFinalize") == 1
    assert_clean(axcl)


def test_a_thousand_cycles_leave_nothing(axcl: Standin, small_card: ModelCard, tmp_path: Path) -> None:
    axcl.set_runner(idle := Runner(lambda *_: 0))
    header = small_card.files["axmodel"].read().split(b"\n\n")[0]
    (tmp_path / "tiny.axmodel").write_bytes(header + b"\n\nno network")
    tiny = ModelFile(tmp_path / "tiny.axmodel", hashlib.sha256(header + b"\n\nno network").hexdigest())
    card = dataclasses.replace(small_card, files={"axmodel": tiny})
    resident_kib = []
    for _ in range(1000):
        engine = opened(card)
        engine.run()
        engine.close()
        resident_kib.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert idle and resident_kib[-1] - resident_kib[100] < 1024, "in KiB; one leaked set of buffers per cycle is 86 MiB"
    assert_clean(axcl)


@pytest.mark.parametrize(
    "stored",
    [
        lambda image: image.astype(np.float64),
        np.asfortranarray,
        lambda image: np.repeat(image, 2, axis=-1)[..., ::2],
        lambda image: np.frombuffer(image.tobytes(), np.float32).reshape(image.shape),  # read-only
    ],
    ids=["float64", "fortran", "strided", "read-only"],
)
def test_any_storage_of_an_input_gives_the_same_result(
    axcl: Standin, small_card: ModelCard, runner: NetworkRunner, stored: Callable[[np.ndarray], np.ndarray]
) -> None:
    engine = opened(small_card)
    fill(engine)
    for array in engine.inputs.values():
        array[...] = stored(array.copy())
    engine.run()
    assert np.array_equal(engine.outputs["disparity"], expected(runner)["disparity"])
    with pytest.raises(ValueError):
        engine.inputs["left"][...] = np.zeros((1, 1, 3, 3), np.float32)
    engine.close()
    assert_clean(axcl)


def test_facts_are_those_of_the_vendors_benchmark(axcl: Standin, small_card: ModelCard) -> None:
    engine = opened(small_card)
    facts = engine_facts(engine)
    assert facts["type"] == "1 Core" and facts["axclrt ver"] == "3.10.2" and facts["pulsar2 ver"] == "4.0 standin"
    assert int(facts["cmm size"].removesuffix(" Bytes")) == len(small_card.files["onnx"].read())
    engine.close()
