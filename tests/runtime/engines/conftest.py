"""The stand-in libraries, compiled once, as the vendor's for one test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engines import ax_runtime, axcl_device
from roma_device.runtime.engines.shared_state import SharedState
from tests.standin.build import PREBUILT_VARIABLE, build_all, compiler
from tests.standin.control import STRICT, AxStandin, Standin
from tests.standin.network import NetworkRunner, standin_card

SIZE = (96, 64)


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


@pytest.fixture
def axcl(standin_folder: Path, runner: NetworkRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """The stand-in for libaxcl_rt.so; nothing may be done against its rules, and nothing may be left."""
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(standin_folder))
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
    monkeypatch.setattr(ax_runtime, "_SHARED", SharedState())
    standin = AxStandin(folder)
    standin.reset()
    standin.set_cache(STRICT)
    standin.set_runner(runner.callback)
    yield standin
    standin.reset()
