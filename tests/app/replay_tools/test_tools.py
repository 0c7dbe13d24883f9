"""``roma-device recording``: figures, damage, parts, and several recordings as one camera."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.cameras import CameraError, open_camera
from roma_device.app.recording.layout import RecordingError
from roma_device.app.replay_tools.cut import cut
from roma_device.app.replay_tools.info import RecordingInfo
from roma_device.app.replay_tools.stored import StoredRecording
from tests.app.command_line import call

from .conftest import PAIRS


def test_info_counts_what_is_there(recording: StoredRecording, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "recording", "info", str(recording.folder), "--json")
    facts = json.loads(out)
    assert (code, facts["pairs"], facts["sizes"], facts["whole"]) == (0, PAIRS, ["160x96 colour"], True)
    assert facts["fps"] == pytest.approx(30, abs=0.01) and facts["missing_pairs"] == 0
    assert facts["baseline_m"] == pytest.approx(recording.camera.calibration.baseline_m, abs=1e-6)  # type: ignore[union-attr]


def test_verify_names_the_damage(damaged: StoredRecording, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "recording", "verify", str(damaged.folder))
    assert code == os.EX_DATAERR
    assert "2 pairs" in out and "000000.pairs is damaged at byte" in out and "recording cut" in out


def test_a_part_is_the_same_to_the_bit(recording: StoredRecording, tmp_path: Path) -> None:
    report = cut(recording, tmp_path, 0.02, 0.12)
    part, whole = (list(StoredRecording.find(each).frames()) for each in (report.folder, recording.folder))
    assert report.pairs == 3
    for ours, theirs in zip(part, whole[1:4], strict=True):
        assert np.array_equal(ours.right.image, theirs.right.image)
        assert (ours.timestamp_ns, ours.left.sequence) == (theirs.timestamp_ns, theirs.left.sequence)


def test_what_stands_before_damage_can_be_saved(damaged: StoredRecording, tmp_path: Path) -> None:
    report = cut(damaged, tmp_path / "saved", 0, float("inf"))
    assert report.pairs == 2 and RecordingInfo.read(StoredRecording.find(report.folder)).is_whole


def test_an_empty_part_is_an_error(recording: StoredRecording, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="has no pair from 7 to 9 s"):
        cut(recording, tmp_path, 7, 9)


def test_several_recordings_are_one_camera_with_stamps_that_rise(recording: StoredRecording, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(recording.folder, tmp_path / name)
    for spec in (f"recording:{tmp_path / 'a'},{tmp_path / 'b'}", f"recording:{tmp_path}?all=1"):
        with open_camera(spec) as camera:
            stamps = [frame.timestamp_ns for frame in camera.frames()]
            assert camera.calibration is not None
        assert len(stamps) == 2 * PAIRS and np.all(np.diff(stamps) > 0)
        assert np.diff(stamps)[PAIRS - 1] == 1_000_000_000 // 30


def test_recordings_of_different_rigs_are_refused(recording: StoredRecording, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(recording.folder, tmp_path / name)
    (tmp_path / "b" / "calibration.yaml").unlink()
    with pytest.raises(CameraError, match="different calibrations"):
        open_camera(f"recording:{tmp_path}?all=1")
