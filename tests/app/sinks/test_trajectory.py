"""The rig's way as a file that a power cut leaves whole, and its plot."""

from __future__ import annotations

import os
from io import FileIO

import cv2
import numpy as np
import pytest

from roma_device.app.sinks import SinkError, growing_file, open_sink
from roma_device.calibration.pose import Pose
from roma_device.runtime.pose_estimate import PoseEstimate


def estimate(index, state="ok", segment=1):
    if state == "lost":
        return PoseEstimate(index * 10**8, "lost", ("dark",), segment)
    pose = Pose.from_rotation_vector([0, 0, 0.1 * index], [0.1 * index, 0.02 * index**2, 0])
    return PoseEstimate(index * 10**8, state, (), segment, pose, np.eye(6), 100, 0.9)


def lines(path):
    return [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]


def test_each_pose_is_in_the_file_at_once_and_a_lost_frame_is_not(tmp_path, make_result):
    with open_sink("trajectory", tmp_path) as sink:
        for index in range(6):
            sink.write(make_result(index, pose=estimate(index, "lost" if index == 2 else "ok")))
            found = [float(line[0]) for line in lines(tmp_path / "trajectory.tum")]
            assert found == pytest.approx([0.1 * each for each in range(index + 1) if each != 2])
    assert all(len(line) == 8 for line in lines(tmp_path / "trajectory.tum"))


def test_a_new_segment_has_a_file_of_its_own(tmp_path, make_result):
    with open_sink("trajectory", tmp_path) as sink:
        for index in range(6):
            sink.write(make_result(index, pose=estimate(index, segment=1 if index < 4 else 2)))
    assert [len(lines(tmp_path / name)) for name in ("trajectory.tum", "trajectory-2.tum")] == [4, 2]


@pytest.mark.slow
def test_the_plot_is_drawn_at_the_end(tmp_path, make_result):
    with open_sink("trajectory", tmp_path) as sink:
        for index in range(9):
            sink.write(make_result(index, pose=estimate(index, "degraded" if index == 5 else "ok")))
        assert not (tmp_path / "trajectory.png").exists()
    image = cv2.imread(str(tmp_path / "trajectory.png"))
    assert image.shape[1] == 900 and len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_a_full_disk_is_one_sentence_and_no_half_line(tmp_path, make_result, monkeypatch):
    class FullDisk(FileIO):
        full = False

        def write(self, data):
            return super().write(data[:9] if FullDisk.full else data)

    monkeypatch.setattr(growing_file, "FileIO", FullDisk)
    with open_sink("trajectory", tmp_path) as sink:
        FullDisk.full = True
        with pytest.raises(SinkError, match="No space left on device") as caught:
            sink.write(make_result(0, pose=estimate(0)))
        assert caught.value.exit_code == os.EX_IOERR
        FullDisk.full = False
        sink.write(make_result(1, pose=estimate(1)))
    assert [line[0] for line in lines(tmp_path / "trajectory.tum")] == ["0.100000000"]
