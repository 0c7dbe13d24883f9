from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from roma_device.app import model_store
from roma_device.app.model_store import BUNDLED, find_model, model_name
from roma_device.runtime.card import ModelError


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundles that come with the package, to be changed."""
    monkeypatch.setattr(model_store, "BUNDLED", shutil.copytree(BUNDLED, tmp_path / "models"))
    monkeypatch.setattr(model_store, "AUTO_NODES", {"ax": str(tmp_path / "ax_sys")})
    return tmp_path / "models"


def compile_graphs(bundle: Path, count: int) -> None:
    """As if the first ``count`` graphs were compiled."""
    card = yaml.safe_load((bundle / "card.yaml").read_text())
    for stage in card["stages"][:count]:
        stage["files"]["axmodel"] = {"file": f"{stage['name']}.axmodel", "sha256": "0" * 64}
    (bundle / "card.yaml").write_text(yaml.safe_dump(card))


def test_the_large_model_is_chosen_where_an_npu_can_run_it(bundled: Path) -> None:
    assert model_name("auto") == find_model("auto").name == "stereo"
    compile_graphs(bundled / "stereo-large", 2)
    assert model_name("auto") == "stereo", "there is no NPU"
    (bundled.parent / "ax_sys").touch()
    assert model_name("auto") == find_model("auto").name == "stereo-large"
    assert model_name("stereo") == "stereo"


@pytest.mark.parametrize("count", [0, 1])
def test_a_model_that_is_not_compiled_whole_is_not_chosen(bundled: Path, count: int) -> None:
    (bundled.parent / "ax_sys").touch()
    compile_graphs(bundled / "stereo-large", count)
    assert model_name("auto") == "stereo"


def test_auto_is_among_the_names_that_are_told() -> None:
    with pytest.raises(ModelError, match="give a bundle folder or one of auto, stereo, stereo-large") as caught:
        find_model("steroe")
    assert caught.value.exit_code == os.EX_NOINPUT
