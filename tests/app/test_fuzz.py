"""Files that anybody may have spoiled: only typed errors with their exit codes, or a value that makes sense."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.app.cameras import open_camera
from roma_device.app.cameras.simulated import virtual_rig
from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.app.settings.settings import Settings, load_settings
from roma_device.calibration.errors import RomaError
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.formats.own import save_calibration
from roma_device.configs import __file__ as configs
from roma_device.runtime.card import load_card
from roma_device.runtime.engine import EngineOptions, open_engine

CONFIGS = Path(configs).parent
BAD_FILE = {os.EX_DATAERR, os.EX_CONFIG}

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

spoil = st.tuples(st.integers(0, 10**6), st.binary(max_size=6), st.integers(0, 6))
"""Where, what to put there, how many bytes of the old go."""

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}))


def spoiled(data: bytes, changes: list[tuple[int, bytes, int]]) -> bytes:
    for place, new, gone in changes:
        place %= len(data) + 1
        data = data[:place] + new + data[place + gone :]
    return data


def only_typed_errors(read: Callable[[Path], object], path: Path, data: bytes, codes: set[int]) -> None:
    path.write_bytes(data)
    try:
        read(path)
    except RomaError as error:
        assert error.exit_code in codes
        assert str(error).count("\n") <= 2 and str(error)


@many
@given(st.lists(spoil, min_size=1, max_size=4))
def test_settings_with_bytes_changed(tmp_path: Path, changes: list[tuple[int, bytes, int]]) -> None:
    data = (CONFIGS / "default.yaml").read_bytes()
    only_typed_errors(load_settings, tmp_path / "settings.yaml", spoiled(data, changes), BAD_FILE)


@many
@given(
    st.dictionaries(
        st.sampled_from([*Settings.model_fields, "x"]), scalars | st.dictionaries(st.text(max_size=6), scalars)
    )
)
def test_settings_with_values_of_any_kind(tmp_path: Path, values: dict[str, object]) -> None:
    text = yaml.safe_dump(values, allow_unicode=True)
    only_typed_errors(load_settings, tmp_path / "settings.yaml", text.encode(), BAD_FILE)


@many
@given(st.lists(spoil, min_size=1, max_size=4))
def test_calibrations_with_bytes_changed(tmp_path: Path, changes: list[tuple[int, bytes, int]]) -> None:
    path = tmp_path / "rig.yaml"
    save_calibration(path, virtual_rig((64, 48)))
    only_typed_errors(load_calibration, path, spoiled(path.read_bytes(), changes), BAD_FILE)


@many
@given(st.lists(spoil, min_size=1, max_size=4))
def test_cards_with_bytes_changed(tmp_path: Path, changes: list[tuple[int, bytes, int]]) -> None:
    data = (CONFIGS / "models/stereo/card.yaml").read_bytes()
    only_typed_errors(lambda path: load_card(path.parent), tmp_path / "card.yaml", spoiled(data, changes), BAD_FILE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundle")


@settings(max_examples=20, deadline=None)
@given(place=st.integers(0, 10**7), new=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_model_files_with_bytes_changed(bundle: Path, place: int, new: bytes, cut: bool) -> None:
    """The hash in the card tells, before any library looks at the file."""
    card = (CONFIGS / "models/stereo/card.yaml").read_bytes()
    data = (CONFIGS / "models/stereo/matching.onnx").read_bytes()
    changed = data[: place % len(data)] if cut else spoiled(data, [(place, new, len(new))])
    if changed == data:
        return
    (bundle / "card.yaml").write_bytes(card)
    (bundle / "matching.onnx").write_bytes(changed)
    with pytest.raises(RomaError) as caught:
        open_engine(load_card(bundle), "opencv", EngineOptions((64, 32)))
    assert caught.value.exit_code == os.EX_DATAERR


@many
@given(st.sampled_from(["v4l2", "recording", "simulated", "images", "video", "x"]), st.text(max_size=30))
def test_camera_names_of_any_kind(kind: str, text: str) -> None:
    if kind == "video" and "://" in text:
        return  # would ask the network
    try:
        open_camera(f"{kind}:{text}").__exit__(None, None, None)
    except RomaError as error:
        assert error.exit_code in {os.EX_USAGE, os.EX_NOINPUT, os.EX_DATAERR, os.EX_UNAVAILABLE, os.EX_NOPERM}


@many
@given(
    st.dictionaries(st.sampled_from(["size", "fps", "exposure", "wait_s", "max_skew_ms", "y"]), st.text(max_size=12))
)
def test_options_of_cameras_of_any_kind(options: dict[str, str]) -> None:
    query = "&".join(f"{key}={value}" for key, value in options.items())
    try:
        spec = V4l2Spec.parse(f"0,1?{query}")
    except RomaError as error:
        assert error.exit_code == os.EX_USAGE
    else:
        assert 0 < spec.fps <= 1000 and 0 < spec.max_skew_ms <= 1000
