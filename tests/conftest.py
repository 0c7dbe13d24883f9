"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_device.app.model_store import find_model
from roma_device.runtime.card import ModelCard

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_stored_calibration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither see nor change the calibrations that this machine's user has stored."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(scope="session")
def stereo_card() -> ModelCard:
    """The bundled stereo model."""
    return find_model("stereo")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pairs with ground truth, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the measured data sets (../shared/data) are not on this machine")
    return folder
