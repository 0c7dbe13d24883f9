"""Fixtures that many tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from roma_device.app.model_store import BUNDLED
from roma_device.runtime.card import ModelCard, load_card

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_stored_calibration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither see nor change the calibrations that this machine's user has stored."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


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
