"""A model for another chip, or for more cores than there are, is refused before the vendor's library gets it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import pytest
import yaml

from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import EngineError, EngineOptions, NpuOptions
from tests.runtime.onnx.axmodel_file import axmodel

from .conftest import SIZE, Command, Npu


def with_axmodel(card: ModelCard, folder: Path, data: bytes) -> ModelCard:
    path = folder / "m.axmodel"
    path.write_bytes(data)
    return dataclasses.replace(card, files={"axmodel": ModelFile(path, hashlib.sha256(data).hexdigest())})


def test_the_wrong_chip_is_refused_before_a_handle_is_made(npu: Npu, small_card: ModelCard, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m.axmodel: compiled for AX620E, this is AX650: compile its ONNX for AX650"):
        npu.open(with_axmodel(small_card, tmp_path, axmodel(chip=1)))
    forbidden = ("CreateHandle", "GetModelType", "LoadFrom")
    assert not [call for call in npu.standin.calls if any(name in call for name in forbidden)]


def test_run_ends_with_the_chip_that_the_model_is_for(npu: Npu, bundle: str, command: Command, tmp_path: Path) -> None:
    folder, data = tmp_path / "wrong", axmodel(chip=1)
    shutil.copytree(bundle, folder)
    (folder / "stereo.axmodel").write_bytes(data)
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card["files"]["axmodel"]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    words = ("--camera", "simulated:room?frames=1&size=96x64", "--model", str(folder), "--engine", npu.engine)
    code, out, err = command("run", *words)
    assert (code, out) == (os.EX_DATAERR, "") and err.count("\n") == 1
    assert "stereo.axmodel: compiled for AX620E, this is AX650: compile its ONNX for AX650" in err
    npu.standin.assert_clean()


def test_too_many_cores_are_refused(npu: Npu, small_card: ModelCard, tmp_path: Path) -> None:
    options = EngineOptions(SIZE, npu=NpuOptions(mode="enable"))
    with pytest.raises(ModelError, match="compiled for 3 cores, which the NPU's mode enable does not take"):
        npu.open(with_axmodel(small_card, tmp_path, axmodel(kind=2)), options)


def test_what_fits_goes_to_the_vendors_library(npu: Npu, small_card: ModelCard, tmp_path: Path) -> None:
    """The stand-in takes no such file: it is its word that counts then."""
    with pytest.raises((ModelError, EngineError), match=r"GetModelType|LoadFromFile"):
        npu.open(with_axmodel(small_card, tmp_path, axmodel()))
