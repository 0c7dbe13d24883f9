"""What the inputs of a batch stand for."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.batch import BatchError
from roma_device.app.batch.items import camera_files, find_items
from roma_device.app.recording.layout import SESSION
from roma_device.calibration.errors import RomaError
from tests.logged import logged


def recording(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / SESSION).write_text("{}")
    (path / "000000.pairs").write_bytes(b"ROMAPAIR")
    return path


def pairs(path: Path) -> Path:
    for side in ("left", "right"):
        (path / side).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(path / side / f"{number}.png"), np.zeros((4, 6), np.uint8))
    return path


def test_recordings_videos_and_folders_of_pairs(tmp_path: Path) -> None:
    both = [recording(tmp_path / "day" / name) for name in ("b", "a")]
    (tmp_path / "walk.MP4").write_bytes(b"")
    inputs = [str(path) for path in (tmp_path / "day", tmp_path / "walk.MP4", pairs(tmp_path / "stills"))]
    found = find_items(inputs)
    assert [item.name for item in found] == ["a", "b", "walk", "stills"]
    assert [item.camera for item in found] == [
        *(f"recording:{path}" for path in reversed(both)),
        f"video:{tmp_path}/walk.MP4",
        f"images:{tmp_path}/stills",
    ]
    assert [len(camera_files(item)) for item in found] == [2, 2, 1, 4]


def test_a_recording_without_its_session_is_an_item_and_what_is_no_recording_is_named(tmp_path: Path) -> None:
    recording(tmp_path / "a")
    (recording(tmp_path / "b") / SESSION).unlink()
    for name in ("notes", ".cache"):
        (tmp_path / name).mkdir()
    with logged("WARNING") as lines:
        assert [item.name for item in find_items([str(tmp_path)])] == ["a", "b"]
    assert lines == [f"{tmp_path}: no recordings, and left out: notes"]


def test_paths_of_items_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    (one, two) = find_items(["a", "video:left.mp4,right.mp4"])
    assert one.camera == f"recording:{tmp_path}/a"
    assert two.camera == f"video:{tmp_path}/left.mp4,{tmp_path}/right.mp4"


def test_items_of_the_same_name_get_folders_of_their_own(tmp_path: Path) -> None:
    inputs = [str(recording(tmp_path / day / "front")) for day in ("monday", "tuesday")]
    names = [item.name for item in find_items(inputs)]
    assert len(set(names)) == 2 and all(name.startswith("front-") for name in names)
    assert names == [item.name for item in reversed(find_items(list(reversed(inputs))))]


def test_an_index_lists_cameras_with_settings_of_their_own(tmp_path: Path) -> None:
    recording(tmp_path / "a")
    items = [{"id": "one two/3", "camera": "recording:a", "settings": {"calibration": "rig.yaml"}}]
    (tmp_path / "index.json").write_text(json.dumps({"items": items}))
    (item,) = find_items([str(tmp_path / "index.json")])
    assert (item.name, item.camera) == ("one_two_3", f"recording:{tmp_path}/a")
    assert item.settings == {"calibration": str(tmp_path / "rig.yaml")}


def test_pairs_of_an_evaluation_set_are_items_with_their_rig(tmp_path: Path) -> None:
    pair = {"id": "p", "left": "l.png", "right": "r.png", "disparity": "d.pfm", "scale": 1, "invalid": "inf"}
    rig = {"K": [500, 0, 3, 0, 500, 2, 0, 0, 1], "baseline_m": 0.1, "doffs": 2.5}
    (tmp_path / "set.json").write_text(json.dumps({"pairs": [pair | rig, pair | {"id": "q", "left": "m.png"}]}))
    metric, plain = find_items([str(tmp_path / "set.json")])
    assert metric.camera == f"images:{tmp_path}/l.png,{tmp_path}/r.png"
    assert metric.settings == {"rectified": True, "focal_px": 500.0, "baseline_m": 0.1, "doffs_px": 2.5}
    assert plain.settings == {"rectified": True}


@pytest.mark.parametrize(
    ("inputs", "words", "code"),
    [
        ([], "needs inputs", 64),
        (["nowhere"], "no such file or folder", 66),
        (["v4l2:0,1"], "has no end: record it", 64),
        (["empty"], "holds neither recordings nor pairs", 66),
        (["notes.txt"], "is no recording, video", 65),
        (["index.json"], "must hold one of items, pairs, clips", 64),
        (["entries.json"], "entry number 0 of items: 'id' and 'camera' must be texts", 64),
        (["simulated:room?frames=1", "simulated:room?frames=1"], "is there twice", 64),
    ],
)
def test_what_is_no_input_is_one_sentence(
    inputs: list[str], words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "index.json").write_text("[]")
    (tmp_path / "entries.json").write_text('{"items": [{"id": 3}]}')
    with pytest.raises(RomaError) as error:
        find_items(inputs)
    assert words in str(error.value) and error.value.exit_code == code
    assert isinstance(error.value, BatchError)
