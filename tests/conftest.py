"""Fixtures that many tests share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from roma_device.app.cameras import simulated
from roma_device.app.cameras.simulated import SimulatedSpec
from roma_device.app.model_store import BUNDLED
from roma_device.app.simulation.scene import Scene
from roma_device.runtime import engine
from roma_device.runtime.card import ModelCard, load_card
from tests.skips import ALLOWED, SkipFloor

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--skips", choices=sorted(ALLOWED), help="fail where tests skip for a reason not in tests/skips.py"
    )


def pytest_configure(config: pytest.Config) -> None:
    run = config.getoption("--skips")
    if run is not None:
        config.pluginmanager.register(SkipFloor(run), "skip floor")


@pytest.fixture(autouse=True)
def no_stored_calibration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither see nor change the calibrations that this machine's user has stored."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True, scope="session")
def worlds_are_painted_once() -> Iterator[None]:
    """A simulated world takes seconds to paint, and nothing changes one: tests that look at the same share it."""
    scene = simulated._scene

    @lru_cache(maxsize=12)
    def made_once(spec: SimulatedSpec, view_rad: tuple[float, float]) -> Scene:
        return scene(spec, view_rad)

    def shared(spec: SimulatedSpec, view_rad: tuple[float, float]) -> Scene:
        return made_once(replace(spec, frames=None, fps=30, bump=None, rig=0, oversample=1), view_rad)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "_scene", shared)
        patch.setattr(simulated, "paint_atlas", lru_cache(maxsize=12)(simulated.paint_atlas))
        yield


@pytest.fixture(autouse=True, scope="session")
def the_automatic_engine_starts_at_once() -> Iterator[None]:
    """OpenVINO compiles for seconds whenever it opens a model: tests that do not name it take another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "AUTO_ORDER", ("axcl", "ax", "onnx", "openvino", "opencv"))
        yield


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the files that git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "-C", str(ROOT), "checkout-index", "-a", f"--prefix={source}/"], check=True)
    words = ["wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def stereo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled stereo model without its second stage, as the bundle of a model of one graph."""
    source, folder = BUNDLED / "stereo", tmp_path_factory.mktemp("bundle") / "stereo"
    card = yaml.safe_load((source / "card.yaml").read_text())
    first = card.pop("stages")[0]
    folder.mkdir()
    for file in first["files"].values():
        shutil.copy(source / file["file"], folder)
    (folder / "card.yaml").write_text(
        yaml.safe_dump(card | {name: first[name] for name in ("files", "inputs", "outputs")})
    )
    return folder


@pytest.fixture(scope="session")
def stereo_card(stereo_bundle: Path) -> ModelCard:
    """Of ``stereo_bundle``: a model of one graph."""
    return load_card(stereo_bundle)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pairs with ground truth, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the measured data sets (../shared/data) are not on this machine")
    return folder
