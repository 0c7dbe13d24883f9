"""Exports, read again by others: rosbags, mcap, OpenCV and our own readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.commands.recording import FORMATS
from roma_device.app.replay_tools.export import EXPORTERS, export
from roma_device.app.replay_tools.stored import ExportError, StoredRecording
from roma_device.calibration.arrays import Size
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.formats.kitti import load_kitti
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.rectified_images import RectifiedImages

from .conftest import PAIRS


def test_a_bag_gives_the_numbers_back_to_the_bit(recording: StoredRecording, tmp_path: Path) -> None:
    pytest.importorskip("rosbags")
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    assert export(recording, tmp_path / "bag", "rosbag2") == PAIRS
    frames, found = list(recording.frames()), {}
    with AnyReader([tmp_path / "bag"], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        for connection, stamp_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((stamp_ns, message))
    for side in ("left", "right"):
        images = found[f"/stereo/{side}/image_raw"]
        assert len(images) == PAIRS
        for (_, message), frame in zip(images, frames, strict=True):
            shot = getattr(frame, side)
            assert message.encoding == "bgr8"
            assert np.array_equal(message.data.reshape(shot.image.shape), shot.image)
    stamps = [stamp for stamp, _ in found["/stereo/left/image_raw"]]
    assert np.array_equal(np.diff(stamps), np.diff([frame.timestamp_ns for frame in frames]))
    assert stamps[0] == recording.epoch_ns > 1_600_000_000 * 10**9
    info, calibration = found["/stereo/right/camera_info"][0][1], recording.calibration
    assert calibration is not None
    rig = Rectification.from_calibration(calibration).rig
    assert info.p[3] == -rig.focal_px * rig.baseline_m and np.array_equal(info.d, calibration.right.distortion)
    assert info.header.frame_id == "right_optical_frame"
    assert {each.child_frame_id for each in found["/tf_static"][0][1].transforms} == {
        "left_optical_frame",
        "right_optical_frame",
    }


def test_the_file_of_the_bag_alone_is_mcap(recording: StoredRecording, tmp_path: Path) -> None:
    pytest.importorskip("rosbags")
    make_reader = pytest.importorskip("mcap.reader").make_reader
    export(recording, tmp_path / "all.mcap", "mcap")
    with (tmp_path / "all.mcap").open("rb") as file:
        reader = make_reader(file)
        assert reader.get_header().profile == "ros2"
        counts = [channel.topic for _, channel, _ in reader.iter_messages()].count("/stereo/left/image_raw")
    assert counts == PAIRS and [path.name for path in tmp_path.iterdir()] == ["all.mcap"]


def test_euroc_is_read_by_our_own_readers(recording: StoredRecording, tmp_path: Path) -> None:
    export(recording, tmp_path / "seq", "euroc")
    frames, mav0 = list(recording.frames()), tmp_path / "seq" / "mav0"
    with open_camera(f"images:{mav0 / 'cam0' / 'data'},{mav0 / 'cam1' / 'data'}") as camera:
        for ours, theirs in zip(camera.frames(), frames, strict=True):
            assert np.array_equal(ours.left.image, theirs.left.image)
            assert np.array_equal(ours.right.image, theirs.right.image)
    rows = (mav0 / "cam1" / "data.csv").read_text().splitlines()
    assert len(rows) == PAIRS + 1 and (mav0 / "cam1" / "data" / rows[1].split(",")[1]).is_file()
    read, ours = load_calibration(mav0), recording.calibration
    assert ours is not None
    assert np.allclose(read.right_from_left.matrix, ours.right_from_left.matrix, atol=1e-12)
    assert np.allclose(read.left.matrix, ours.left.matrix)


def test_kitti_holds_the_rectified_pair(recording: StoredRecording, tmp_path: Path) -> None:
    export(recording, tmp_path / "00", "kitti")
    calibration, frame = recording.calibration, next(iter(recording.frames()))
    assert calibration is not None
    rectification = Rectification.from_calibration(calibration)
    expected = RectifiedImages(frame.left.image, frame.right.image, rectification)
    assert np.array_equal(cv2.imread(str(tmp_path / "00" / "image_2" / "000000.png")), expected.left)
    assert np.array_equal(cv2.imread(str(tmp_path / "00" / "image_3" / "000000.png")), expected.right)
    read = load_kitti(tmp_path / "00" / "calib.txt", Size(160, 96))
    assert read.baseline_m == pytest.approx(calibration.baseline_m, rel=1e-9)
    times = np.loadtxt(tmp_path / "00" / "times.txt")
    assert times[0] == 0 and times[-1] == pytest.approx((PAIRS - 1) / 30, abs=1e-6)


def test_a_video_is_without_loss(recording: StoredRecording, tmp_path: Path) -> None:
    export(recording, tmp_path / "both.avi", "video")
    with open_camera(f"video:{tmp_path / 'both.avi'}") as camera:
        for ours, theirs in zip(camera.frames(), recording.frames(), strict=True):
            assert np.array_equal(ours.left.image, theirs.left.image)
            assert np.array_equal(ours.right.image, theirs.right.image)


def test_the_command_offers_every_format() -> None:
    assert set(FORMATS) == set(EXPORTERS)


def test_what_is_there_stays(recording: StoredRecording, tmp_path: Path) -> None:
    (tmp_path / "seq").write_text("mine")
    with pytest.raises(ExportError, match="is there already"):
        export(recording, tmp_path / "seq", "euroc")
    assert (tmp_path / "seq").read_text() == "mine"


def test_nothing_half_written_is_left(damaged: StoredRecording, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="is damaged at byte"):
        export(damaged, tmp_path / "out" / "seq", "euroc")
    assert list((tmp_path / "out").iterdir()) == []
