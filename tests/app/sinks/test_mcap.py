"""MCAP files as another reader sees them."""

from __future__ import annotations

import json
from collections import defaultdict

import cv2
import numpy as np
import pytest

from roma_device.app.sinks import SinkError, growing_file, open_sink
from roma_device.app.sinks import mcap as mcap_module
from roma_device.app.sinks.images import DepthSink
from roma_device.calibration.pose import Pose
from roma_device.runtime.pose_estimate import PoseEstimate
from roma_device.runtime.types import StereoFrame, Truth

reader = pytest.importorskip("mcap.reader")
descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
message_factory = pytest.importorskip("google.protobuf.message_factory")


def messages(path):
    """Topic -> list of (schema name, log time, message), decoded by the schemas that the file itself holds."""
    found = defaultdict(list)
    with path.open("rb") as file:
        for schema, channel, message in reader.make_reader(file).iter_messages():
            found[channel.topic].append((schema.name, message.log_time, decoded(schema, channel, message.data)))
    return found


def decoded(schema, channel, data):
    if channel.message_encoding == "json":
        assert schema.encoding == "jsonschema" and json.loads(schema.data)["type"] == "object"
        return json.loads(data)
    assert channel.message_encoding == schema.encoding == "protobuf"
    files, pool = descriptor_pb2.FileDescriptorSet.FromString(schema.data), descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(schema.name)).FromString(data)


def vector(message):
    return [getattr(message, axis) for axis in "xyz"]


def test_what_is_written_can_be_read_back(tmp_path, make_result):
    results = [make_result(index) for index in range(3)]
    with open_sink("mcap-raw", tmp_path) as sink:
        for result in results:
            sink.write(result)
    found = messages(tmp_path / "results-raw.mcap")
    assert {topic: len(each) for topic, each in found.items()} == {
        "/left/image": 3,
        "/depth": 3,
        "/left/calibration": 3,
        "/tf": 3,
        "/scan": 3,
        "/status": 3,
    }
    name, time_ns, depth = found["/depth"][1]
    assert name == "foxglove.RawImage" and depth.encoding == "16UC1" and depth.frame_id == "left_optical_frame"
    raw = np.frombuffer(depth.data, "<u2").reshape(depth.height, -1)
    assert depth.step == 2 * depth.width == 2 * raw.shape[1]
    png = DepthSink(tmp_path).encode(results[1])
    np.testing.assert_array_equal(raw, cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED))
    assert time_ns == depth.timestamp.seconds * 10**9 + depth.timestamp.nanos
    assert time_ns - found["/depth"][0][1] == 1  # as the frames' stamps are
    image = cv2.imdecode(np.frombuffer(found["/left/image"][0][2].data, np.uint8), 1)
    assert image.shape == results[0].images.left.shape
    calibration = found["/left/calibration"][0][2]
    assert calibration.K[0] == results[0].rig.focal_px and len(calibration.P) == 12
    assert [status["index"] for _, _, status in found["/status"]] == [0, 1, 2]
    scan = found["/scan"][0][2]
    assert scan.start_angle == -scan.end_angle == -0.5 and list(scan.ranges[:2]) == [1.5, np.inf]


def test_a_pose_that_is_known_is_written(tmp_path, make_result):
    result = make_result()
    truth = Truth(world_from_left=Pose.from_rotation_vector([0.0, 0.0, 0.2], [1.0, 2.0, 3.0]))
    frame = StereoFrame(result.frame.left, result.frame.right, truth)
    with open_sink("mcap", tmp_path) as sink:
        sink.write(make_result(frame=frame))
    ((name, _, message),) = messages(tmp_path / "results.mcap")["/pose"]
    assert name == "foxglove.PoseInFrame" and message.frame_id == "world"
    assert vector(message.pose.position) == [1, 2, 3]
    assert message.pose.orientation.z == pytest.approx(np.sin(0.1))


def test_frames_are_connected_from_odometry_to_the_right_camera(tmp_path, make_result):
    pose = PoseEstimate(0, "ok", (), 1, Pose.from_rotation_vector([0, 0, 0.2], [1, 2, 3]))
    with open_sink("mcap", tmp_path) as sink:
        sink.write(make_result(pose=pose))
    ((name, time_ns, message),) = messages(tmp_path / "results.mcap")["/tf"]
    assert name == "foxglove.FrameTransforms"
    chain = {each.child_frame_id: each for each in message.transforms}
    assert {child: each.parent_frame_id for child, each in chain.items()} == {
        "camera_link": "odom",
        "left_optical_frame": "camera_link",
        "right_optical_frame": "left_optical_frame",
        "ground": "left_optical_frame",
    }
    assert vector(chain["camera_link"].translation) == [1, 2, 3]
    assert vector(chain["right_optical_frame"].translation) == [0.1, 0, 0]
    assert all(each.timestamp.seconds == time_ns // 10**9 for each in chain.values())


@pytest.mark.parametrize("metric", [True, False])
def test_there_is_no_channel_without_messages(tmp_path, make_result, metric):
    with open_sink("mcap", tmp_path) as sink:
        sink.write(make_result(metric=metric))
    with (tmp_path / "results.mcap").open("rb") as file:
        summary = reader.make_reader(file).get_summary()
    counts = summary.statistics.channel_message_counts
    assert {summary.channels[number].topic for number in counts} == {each.topic for each in summary.channels.values()}
    assert len(summary.schemas) == len(summary.channels) == (7 if metric else 3)


def test_a_file_without_its_end_can_still_be_read(tmp_path, make_result):
    """As a power cut leaves it: no summary, and perhaps a torn chunk."""
    stream = pytest.importorskip("mcap.stream_reader")
    with open_sink("mcap", tmp_path) as sink:
        for index in range(20):
            sink.write(make_result(index))
        written = (tmp_path / "results.mcap").read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(written)
    count = 0
    with cut.open("rb") as file, pytest.raises(Exception):  # noqa: B017
        for record in stream.StreamReader(file).records:
            count += type(record).__name__ == "Message"
    assert count >= 10


def test_after_a_full_disk_a_new_file_begins_and_the_old_one_stays_readable(tmp_path, make_result, monkeypatch):
    class FullDisk(growing_file.FileIO):
        full = False

        def write(self, data):
            return super().write(data[:99] if FullDisk.full else data)

    monkeypatch.setattr(growing_file, "FileIO", FullDisk)
    monkeypatch.setattr(mcap_module, "CHUNK_BYTES", 100)
    with open_sink("mcap", tmp_path) as sink:
        sink.write(make_result(0))
        FullDisk.full = True
        for index in (1, 2):
            with pytest.raises(SinkError, match="No space left on device"):
                sink.write(make_result(index))
        FullDisk.full = False
        sink.write(make_result(3))
    assert {path.name for path in tmp_path.iterdir()} == {"results.mcap", "results-2.mcap"}
    stream = pytest.importorskip("mcap.stream_reader")
    with (tmp_path / "results.mcap").open("rb") as file:
        kinds = []
        with pytest.raises(Exception):  # noqa: B017  (it has no end)
            for record in stream.StreamReader(file).records:
                kinds.append(type(record).__name__)
    assert kinds.count("Message") == 7
    assert [len(each) for each in messages(tmp_path / "results-2.mcap").values()] == [1] * 7


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mcap.writer", None)
    with pytest.raises(SinkError, match="pip install mcap"), open_sink("mcap", tmp_path):
        pass


def test_depth_is_to_the_bit_what_the_sink_of_depth_writes_and_its_preview_every_fourth_pixel(tmp_path, make_result):
    result = make_result()
    with open_sink("mcap", tmp_path) as sink:
        sink.write(result)
    found = messages(tmp_path / "results.mcap")
    ((name, _, depth),) = found["/depth"]
    assert name == "foxglove.CompressedImage" and depth.format == "png"
    png = DepthSink(tmp_path).encode(result)
    depth_mm, wanted = (cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_UNCHANGED) for each in (depth.data, png))
    assert depth_mm.dtype == np.uint16
    np.testing.assert_array_equal(depth_mm, wanted)
    ((name, _, preview),) = found["/depth/preview"]
    assert name == "foxglove.RawImage" and preview.encoding == "16UC1" and preview.step == 2 * preview.width
    raw = np.frombuffer(preview.data, "<u2").reshape(preview.height, preview.width)
    np.testing.assert_array_equal(raw, wanted[::4, ::4])
    assert found["/left/image"] and found["/status"]
