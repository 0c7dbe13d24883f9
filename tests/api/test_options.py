"""Keywords: what is wrong with them is one sentence in a program's words, and they win over a settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device import NpuOptions, RomaError, StereoCalibration, StereoDepth, StereoFrame, load_calibration
from tests.api.conftest import REPLAY

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"task": "dept"}, "task: unknown name 'dept'; did you mean depth"),
    ({"task": 5}, "task: must be a list, not 5"),
    ({"task": [5]}, "must be a text, not 5"),
    ({"save": "depht", "output": "out"}, "save: unknown name 'depht'; did you mean depth"),
    ({"model": Path("nope")}, "no model 'nope'"),
    ({"model": 5}, "model: must be a text, not 5"),
    ({"model": ""}, "model: must be a text with something in it"),
    ({"engine": "tpu"}, "engine: unknown name 'tpu'"),
    ({"precision": "fp16"}, "precision: must be 'auto', 'fp32' or 'int8'"),
    ({"threads": -1}, "threads: must be greater than or equal to 0, not -1"),
    ({"threads": 1.5}, "threads: must be a whole number, not 1.5"),
    ({"input_width": "640"}, "input_width: must be a whole number, not '640'"),
    ({"input_width": np.float64(640)}, "input_width: must be a whole number"),
    ({"min_depth_m": -1}, "min_depth_m: must be greater than 0, not -1"),
    ({"min_depth_m": 5, "max_depth_m": 1}, "min_depth_m, max_depth_m: min_m 5 must be below max_m 1"),
    ({"min_confidence": 2}, "min_confidence: must be less than or equal to 1"),
    ({"view": "wide"}, "view: must be 'native', 'full' or 'inside'"),
    ({"frames": 0}, "frames: must be greater than 0"),
    ({"max_fps": 0}, "max_fps: must be greater than or equal to 0.1"),
    ({"output": 5}, "output: must be a path"),
    ({"record": 5}, "record: must be a path"),
    ({"npu": 5}, "npu: must be a mapping"),
    ({"npu": NpuOptions}, "npu: must be a mapping"),
    ({"npu": NpuOptions(device=-1)}, "npu.device: must be greater"),
    ({"config": 5}, "config must be a path, not 5"),
    ({"config": "nope.yaml"}, "nope.yaml: cannot read the settings"),
    ({"calibration": 5}, "calibration must be a path, not 5"),
    ({"calibration": "nope"}, "nope: cannot read the calibration"),
    ({"rectified": "yes"}, "rectified: must be true or false, not 'yes'"),
    ({"focal_px": "a"}, "focal_px: must be a number, not 'a'"),
    ({"focal_px": np.nan}, "focal_px: must be a finite number"),
    ({"focal_px": np.ones(2)}, "focal_px: must be a number"),
    ({"focal_px": True}, "focal_px: must be a number, not True"),
    ({"camera": "webcam:1"}, "camera: unknown name 'webcam'"),
    ({"camera": ""}, "camera: must be a text with something in it"),
    ({"camera": 5}, "camera must be KIND:ARGUMENT, a Camera or an iterable of pairs, not 5"),
    ({"camera": b"simulated"}, "camera must be KIND:ARGUMENT"),
]


@pytest.mark.parametrize(("keywords", "said"), WRONG, ids=[str(keywords)[:40] for keywords, _ in WRONG])
def test_a_wrong_keyword_is_one_sentence(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(RomaError) as error:
        StereoDepth(**keywords)
    assert said in str(error.value) and "\n" not in str(error.value) and "--" not in str(error.value)


def test_raw_and_rectified_contradict_each_other(rig: StereoCalibration) -> None:
    for keywords in ({"rectified": True}, {"focal_px": 100.0}, {"baseline_m": 0.1}):
        with pytest.raises(RomaError, match="calibration= is for raw pairs"):
            StereoDepth(calibration=rig, **keywords)  # type: ignore[arg-type]


ON_USE: list[tuple[dict[str, Any], str]] = [
    ({"camera": "pairs"}, "give calibration=, or rectified= if the pairs are rectified"),
    ({"camera": "pairs", "rectified": True, "task": "pose"}, "give calibration=, or focal_px= and baseline_m="),
    ({"save": "depth"}, "save= needs output=, the folder"),
    ({"save": "trajectory", "output": "out"}, 'save="trajectory" needs poses: give task="pose" or depth,pose'),
    ({"save": "depth", "output": "out", "task": "pose"}, 'save="depth" needs depth: give task="depth,pose"'),
    ({"engine": "opencv", "precision": "int8"}, 'precision="fp32" or auto'),
    ({"camera": None}, 'give camera=, such as "simulated", or call match'),
    ({"camera": "images:a.png,b.png"}, "a.png does not exist"),
]


@pytest.mark.parametrize(("keywords", "said"), ON_USE, ids=[str(keywords)[:60] for keywords, _ in ON_USE])
def test_what_shows_with_the_first_frame_speaks_of_keywords(
    keywords: dict[str, Any], said: str, frames: list[StereoFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"camera": REPLAY, "engine": "null", **keywords}
    given["camera"] = frames if given["camera"] == "pairs" else given["camera"]
    with StereoDepth(**given) as stereo, pytest.raises(RomaError) as error:
        next(stereo)
    assert said in str(error.value) and "--" not in str(error.value)


def test_a_files_missing_size_is_asked_for_by_keyword(tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    path.write_text("P0: 700 0 320 0 0 700 200 0 0 0 1 0\nP1: 700 0 320 -70 0 700 200 0 0 0 1 0\n")
    with pytest.raises(RomaError, match="say it with size="):
        load_calibration(path)
    assert load_calibration(path, size=(640, 400)).baseline_m == pytest.approx(0.1)


CONFIG = f"""
camera: "{REPLAY}"
engine: "null"
frames: 3
task: [depth, pose]
depth: {{min_m: 0.5, max_m: 7.0}}
"""


def test_a_settings_file_gives_what_no_keyword_does(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    with StereoDepth(config=path) as stereo:
        assert [frame.pose is not None for frame in stereo] == [True, True, True]
    with StereoDepth(config=str(path), frames=1, task="depth", min_depth_m=1) as stereo:
        (frame,) = stereo
    assert frame.pose is None
    limits = stereo._session.settings.depth
    assert (limits.min_m, limits.max_m) == (1.0, 7.0)


def test_a_keyword_with_the_defaults_value_wins_too(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("threads: 3\nprecision: fp32\nview: full\nmodel: nope\nrectified: true\n")
    stereo = StereoDepth(config=path, threads=0, precision="auto", view="native", model="stereo", rectified=False)
    settings = stereo._session.settings
    assert (settings.threads, settings.precision, settings.view) == (0, "auto", "native")
    assert (settings.model, settings.rectified) == ("stereo", False)


def test_a_camera_of_ones_own_wins_over_the_files(tmp_path: Path, frames: list[StereoFrame]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG + "rectified: true\nfocal_px: 100.0\nbaseline_m: 0.1\n")
    with StereoDepth(frames[:2], config=path, task="depth") as stereo:
        assert len(list(stereo)) == 2


def test_a_pair_follows_a_settings_file(tmp_path: Path, frames: list[StereoFrame], rig_file: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f'engine: "null"\ncalibration: {rig_file}\n')
    frame = StereoDepth.from_pair(frames[0].left.image, frames[0].right.image, config=path)
    assert frame.rig.is_metric
