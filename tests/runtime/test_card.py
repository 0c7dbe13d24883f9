from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.runtime.card import ModelError, load_card


@pytest.fixture
def bundle(stereo_bundle: Path, tmp_path: Path) -> Path:
    """A private copy of a bundle of one graph."""
    return Path(shutil.copytree(stereo_bundle, tmp_path / "stereo"))


def edit(bundle: Path, **changes: Any) -> None:
    path = bundle / "card.yaml"
    card = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        card.pop(key) if value is None else card.update({key: value})
    path.write_text(yaml.safe_dump(card))


def test_bundled_card_describes_its_file(bundle: Path) -> None:
    card = load_card(bundle)
    assert card.task == "stereo" and card.normalization == "preprocess"
    assert [spec.name for spec in card.outputs] == ["disparity", "certainty"]
    assert len(card.files["onnx"].read()) > 1_000_000


def test_changed_file_is_refused(bundle: Path) -> None:
    file = bundle / "matching.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"matching\.onnx: sha256 is .* its card says") as caught:
        load_card(bundle).files["onnx"].read()
    assert caught.value.exit_code == os.EX_DATAERR


def test_missing_file_is_named(bundle: Path) -> None:
    (bundle / "matching.onnx").unlink()
    with pytest.raises(ModelError, match=r"matching\.onnx: cannot read") as caught:
        load_card(bundle).files["onnx"].read()
    assert caught.value.exit_code == os.EX_NOINPUT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name is missing"),
        ({"files": None}, "files is missing"),
        ({"task": "segmentation"}, "task is 'segmentation': it must be one of stereo, two_view"),
        ({"normalization": "batch"}, "normalization is 'batch'"),
        ({"outputs": [{"name": "disparity", "shape": [1], "dtype": "float32", "stride": 3}]}, "stride is '3'"),
        ({"colour": "red"}, "colour is not a key of this format"),
        ({"inputs": 3}, "inputs must be a list"),
        ({"default_size": ["wide", 1]}, r"default_size must be a number"),
        ({"enlarge": 0.5}, "enlarge must be from 1 to 4"),
        ({"enlarge": "much"}, "enlarge must be a number"),
    ],
)
def test_mistakes_name_file_and_key(bundle: Path, changes: dict[str, Any], message: str) -> None:
    edit(bundle, **changes)
    with pytest.raises(ModelError, match=message) as caught:
        load_card(bundle)
    assert str(bundle / "card.yaml") in str(caught.value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = ("name", "task", "files", "inputs", "outputs", "normalization", "convention", "default_size", "measured")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=json_like | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, json_like)))
def test_no_card_escapes_the_checks(tmp_path: Path, content: Any) -> None:
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        load_card(tmp_path)
    except ModelError as error:
        assert "\n" not in str(error)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_card_or_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "card.yaml").write_bytes(content)
    with pytest.raises(ModelError):
        load_card(tmp_path)


def test_tolerated_rows_are_those_of_images_that_are_not_enlarged(bundle: Path) -> None:
    edit(bundle, tolerated_vertical_px=0.8, default_size=[640, 320])
    plain = load_card(bundle).tolerated_share
    edit(bundle, default_size=[960, 480], enlarge=1.5)
    assert load_card(bundle).tolerated_share == pytest.approx(plain) == 0.8 / 640
