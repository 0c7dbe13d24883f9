import os
from pathlib import Path

import pytest
import yaml

from roma_device.app.settings.sections import section_of
from roma_device.app.settings.settings import Settings, SettingsError, load_settings

DEFAULTS = Path(__file__).parents[3] / "configs" / "default.yaml"


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_and_load(text):
        Path("settings.yaml").write_text(text)
        return load_settings(Path("settings.yaml"))

    return write_and_load


def keys_of(model):
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from (f"{name}.{key}" for key in keys_of(section))
        else:
            yield name


def test_the_default_file_says_what_the_code_does():
    assert load_settings(DEFAULTS) == Settings()


def test_the_default_file_has_every_key_with_a_comment():
    raw = yaml.safe_load(DEFAULTS.read_text())
    flat = [
        f"{key}.{inner}" if isinstance(value, dict) else key
        for key, value in raw.items()
        for inner in (value if isinstance(value, dict) else [key])
    ]
    assert flat == list(keys_of(Settings))


def test_an_empty_file_is_all_defaults(load):
    assert load("# nothing\n") == Settings()


def test_values_are_taken(load):
    settings = load(
        "camera: images:left,right\ncalibration: rig.yaml\nfocal_px: 700\nthreads: 2\n"
        "depth: {max_m: 9}\noutput:\n  folder: out\n  save: [depth, ply]\nframes: 3\n"
    )
    assert (settings.camera, settings.calibration, settings.focal_px) == (
        "images:left,right",
        Path("rig.yaml"),
        700.0,
    )
    assert (settings.depth.min_m, settings.depth.max_m) == (0.2, 9.0)
    assert (settings.output.folder, settings.output.save) == (Path("out"), ("depth", "ply"))
    assert (settings.threads, settings.frames) == (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# a\n\ndepth:\n  max_m: 9\n  min_confidnce: 1\n",
            "5: depth.min_confidnce: unknown key; did you mean min_confidence?",
        ),
        (
            "depth:\n  zzz: 1\n",
            "2: depth.zzz: unknown key; known: min_m, max_m, min_confidence, preset, speckle_px, "
            "speckle_step_px, edge_px, edge_step, doubt, lenience, temporal, temporal_reset_px, hysteresis, fill_px, "
            "decimate, region",
        ),
        ("modle: a\n", "1: modle: unknown key; did you mean model?"),
        ("frames: 1\nthreads: -1\n", "2: threads: must be greater than or equal to 0, not -1"),
        ("threads: yes\n", "1: threads: must be a whole number, not True"),
        ("input_width: 0\n", "1: input_width: must be greater than 0, not 0"),
        ("input_width: 64000\n", "1: input_width: must be less than or equal to 8192, not 64000"),
        ("\nframes: 1.5\n", "2: frames: must be a whole number, not 1.5"),
        ("focal_px: .inf\n", "1: focal_px: must be a finite number, not inf"),
        ("baseline_m: .nan\n", "1: baseline_m: must be a finite number, not nan"),
        ("baseline_m: '0.1'\n", "1: baseline_m: must be a number, not '0.1'"),
        ("rectified: 1\n", "1: rectified: must be true or false, not 1"),
        ("model: 3\n", "1: model: must be a text, not 3"),
        ("calibration: 3\n", "1: calibration: must be a path, not 3"),
        ("camera: ''\n", "1: camera: must be a text with something in it, not ''"),
        ("camera: vidio:a,b\n", "1: camera: unknown name 'vidio'; did you mean video?"),
        ("engine: opncv\n", "1: engine: unknown name 'opncv'; did you mean opencv?"),
        ("output:\n  save: depth\n", "2: output.save: must be a list, not 'depth'"),
        ("output:\n  save:\n  - depth\n  - 3\n", "4: output.save.1: must be a text, not 3"),
        ("output:\n  save: [dept]\n", "2: output.save: unknown name 'dept'; did you mean depth?"),
        ("\ndepth:\n  min_m: 3\n  max_m: 2\n", "2: depth: min_m 3 must be below max_m 2"),
        (
            "depth:\n  min_confidence: 1.1\n",
            "2: depth.min_confidence: must be less than or equal to 1, not 1.1",
        ),
        ("depth: 3\n", "1: depth: must be a mapping of keys to values, not 3"),
        ("- 1\n", "1: the settings: must be a mapping of keys to values, not [1]"),
        ("frames: 1\nmodel: a\nframes: 2\n", "3: frames: the key stands there twice, first in line 1"),
        ("depth:\n  min_m: 1\n  min_m: 1\n", "3: min_m: the key stands there twice, first in line 2"),
        ("model: a\non: 3\n", "2: on: a key must be a text"),
        ("model: a\nframes: 2024-13-01\n", "2: month must be in 1..12"),
        ("model: a\nframes: b: c\n", "2: not valid YAML: mapping values are not allowed here"),
        ("model: &a [*a]\n", "1: an alias stands inside what it names"),
        ('model: a\ncamera: "\x00"\n', "2: character 0x0 is not allowed"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_key(load, text, message):
    with pytest.raises(SettingsError) as caught:
        load(text)
    assert str(caught.value) == f"settings.yaml:{message}"
    assert caught.value.exit_code == os.EX_CONFIG


@pytest.mark.parametrize(
    ("text", "line"), [("a: [1,\n  2\nb: 3\n", 3), ("a: 1\n---\nb: 2\n", 2), ("a: 1\n\tb: 2\n", 2)]
)
def test_bad_syntax_has_its_line(load, text, line):
    with pytest.raises(SettingsError, match=rf"^settings\.yaml:{line}: [^\n]+$"):
        load(text)


def test_the_first_mistake_in_the_file_is_told(load):
    with pytest.raises(SettingsError, match=r"^settings\.yaml:1: zzz"):
        load("zzz: 1\nthreads: -1\nframes: -1\n")


def test_a_missing_file():
    with pytest.raises(SettingsError, match=r"^/no/s\.yaml: cannot read the settings") as caught:
        load_settings(Path("/no/s.yaml"))
    assert caught.value.exit_code == os.EX_NOINPUT


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"model: \xff")
    with pytest.raises(SettingsError, match="not UTF-8 text") as caught:
        load_settings(tmp_path / "s.yaml")
    assert caught.value.exit_code == os.EX_CONFIG


def test_flags_win_where_they_are_given(load):
    settings = load("threads: 2\ndepth: {min_m: 1, max_m: 9}\noutput: {save: [depth]}\n")
    changed = settings.overridden(
        **{"threads": None, "frames": 5, "depth.max_m": 4.0, "output": {"folder": "out", "save": ()}}
    )
    assert (changed.threads, changed.frames) == (2, 5)
    assert (changed.depth.min_m, changed.depth.max_m) == (1, 4)
    assert (changed.output.folder, changed.output.save) == (Path("out"), ("depth",))
    assert settings.frames is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"threads": -1}, "threads: must be greater than or equal to 0, not -1"),
        ({"depth.min_m": 60.0}, "depth: min_m 60 must be below max_m 50"),
        ({"depth.mni_m": 1.0}, "depth.mni_m: unknown key; did you mean min_m?"),
        ({"frames.count": 1}, "frames: must be a whole number, not {'count': 1}"),
    ],
)
def test_wrong_flags_are_wrong_usage(flags, message):
    with pytest.raises(SettingsError) as caught:
        Settings().overridden(**flags)
    assert str(caught.value) == f"command line: {message}"
    assert caught.value.exit_code == os.EX_USAGE


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().threads = 3
