"""The stand-in libraries, compiled once, as the vendor's for one test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.cli import main
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Engine, EngineOptions, open_engine
from roma_device.runtime.engines.ax import library as ax_library
from roma_device.runtime.engines.axcl import device as axcl_device
from roma_device.runtime.engines.axcl import engine as axcl_engine
from roma_device.runtime.engines.vendor import SharedState
from tests.standin.build import PREBUILT_VARIABLE, build_all, compiler
from tests.standin.control import STRICT, AxStandin, Standin
from tests.standin.network import NetworkRunner, standin_bundle, standin_card

SIZE = (96, 64)
OPTIONS = EngineOptions(SIZE, threads=1)
Command = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Npu:
    """One of the two kinds of NPU: the engine's name, its stand-in, and the call that runs a network."""

    engine: str
    standin: Standin
    run_call: str
    warm_up_runs: int

    def fault_run(self, status: int, nth: int = 1, *, sticky: bool = False) -> None:
        """The ``nth`` run after those of opening gives ``status``."""
        self.standin.fault(self.run_call, status, self.warm_up_runs + nth, sticky=sticky)

    def open(self, card: ModelCard, options: EngineOptions = OPTIONS) -> Engine:
        return open_engine(card, self.engine, options)


@pytest.fixture(scope="session")
def standin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in libraries lie."""
    if PREBUILT_VARIABLE in os.environ:
        return Path(os.environ[PREBUILT_VARIABLE])
    if compiler() is None:
        pytest.skip("the stand-in libraries need a C compiler")
    folder = tmp_path_factory.mktemp("standin")
    build_all(folder)
    return folder


@pytest.fixture(scope="session")
def runner(stereo_card: ModelCard) -> NetworkRunner:
    return NetworkRunner(stereo_card, SIZE)


@pytest.fixture(scope="session")
def small_card(stereo_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """The bundled model with an axmodel of SIZE."""
    return standin_card(stereo_card, SIZE, tmp_path_factory.mktemp("model") / "stereo.axmodel")


@pytest.fixture(scope="session")
def empty_card(stereo_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """The same with an axmodel whose outputs are its inputs, which costs no time."""
    return standin_card(stereo_card, SIZE, tmp_path_factory.mktemp("model") / "empty.axmodel", network=b"")


@pytest.fixture(scope="session")
def bundle(stereo_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the bundled model's bundle with an axmodel of SIZE."""
    return str(standin_bundle(stereo_card, SIZE, tmp_path_factory.mktemp("bundles") / "stereo"))


@pytest.fixture(scope="session")
def empty_bundle(stereo_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with an axmodel whose outputs are its inputs, from 0 to 1: others would make no sense as results."""
    card, folder = replace(stereo_card, normalization="none"), tmp_path_factory.mktemp("bundles") / "stereo"
    return str(standin_bundle(card, SIZE, folder, network=b""))


@pytest.fixture
def axcl(standin_folder: Path, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """The stand-in for libaxcl_rt.so."""
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(standin_folder))
    runtime = axcl_device.Runtime()
    for module in (axcl_device, axcl_engine):
        monkeypatch.setattr(module, "RUNTIME", runtime)
    monkeypatch.setattr(axcl_device, "_SHARED", SharedState())  # an engine that a test lost shall not matter
    standin = Standin(standin_folder / "libaxcl_rt.so")
    standin.reset()
    standin.set_runner(runner.callback)
    yield standin
    standin.reset()


@pytest.fixture
def ax(standin_folder: Path, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[AxStandin]:
    """The stand-ins for libax_sys.so and libax_engine.so of AX650."""
    yield from as_board(standin_folder, runner, monkeypatch)


def as_board(folder: Path, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[AxStandin]:
    """The stand-ins in ``folder`` as the board's libraries; every flush and invalidate that is left out shows."""
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(folder))
    monkeypatch.setattr(ax_library, "_SHARED", SharedState())
    standin = AxStandin(folder)
    standin.reset()
    standin.set_cache(STRICT)
    standin.set_runner(runner.callback)
    yield standin
    standin.reset()


@pytest.fixture(params=["axcl", "ax"])
def npu(request: pytest.FixtureRequest) -> Npu:
    """Each kind of NPU in turn."""
    call, warm_up_runs = {"axcl": ("axclrtEngineExecuteAsync", 0), "ax": ("AX_ENGINE_RunSyncV2", 2)}[request.param]
    return Npu(request.param, request.getfixturevalue(request.param), call, warm_up_runs)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Calls ``roma-device`` with the words given; returns exit code, stdout and stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roma-device", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def fill(engine: Engine, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for array in engine.inputs.values():
        array[...] = rng.standard_normal(array.shape, np.float32)


def expected(runner: NetworkRunner, seed: int = 0) -> dict[str, np.ndarray]:
    """What the host engine makes of the inputs of ``fill``."""
    fill(runner.engine, seed)
    runner.engine.run()
    return {name: array.copy() for name, array in runner.engine.outputs.items()}
