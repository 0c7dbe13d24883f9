"""Bags: what rosbag2 looks for in them; where ROS is installed, played and heard by it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from roma_device.app.messages.topics import TOPICS
from roma_device.app.sinks import open_sink

from .test_contract import POSE

ROOT = Path(__file__).parents[3]
FOREVER = {"sec": 2147483647, "nsec": 4294967295}
"""How Fast DDS wrote "without end", which rosbag2 knows."""

HISTORY = {"sensor": (1, 5), "reliable": (1, 10), "latched": (1, 1)}  # keep last, depth
PROMISES = {"sensor": (2, 2), "reliable": (1, 2), "latched": (1, 1)}  # reliability, durability

TYPE_HASHES = {
    "sensor_msgs/msg/Image": "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    "sensor_msgs/msg/CameraInfo": "b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275",
    "stereo_msgs/msg/DisparityImage": "1ec1ff6b5bace919e4544a37f2d96ead9f81783701b7b7a4d97a09325ecf2711",
    "sensor_msgs/msg/PointCloud2": "9198cabf7da3796ae6fe19c4cb3bdd3525492988c70522628af5daa124bae2b5",
    "sensor_msgs/msg/LaserScan": "64c191398013af96509d518dac71d5164f9382553fce5c1f8cca5be7924bd828",
    "nav_msgs/msg/Odometry": "3cc97dc7fb7502f8714462c526d369e35b603cfc34d946e3f2eda2766dfec6e0",
    "tf2_msgs/msg/TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "diagnostic_msgs/msg/DiagnosticArray": "5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e",
}
"""From the JSON files that Kilted's packages bring; that of tf2_msgs by its own ``rosidl hash`` from TFMessage.msg."""


@pytest.fixture
def bag(tmp_path: Path, make_result: Any) -> Path:
    pytest.importorskip("rosbags")
    with open_sink("rosbag2", tmp_path) as sink:
        for index in range(5):
            sink.write(make_result(index, pose=POSE))
    return tmp_path / "rosbag2"


def test_the_metadata_is_what_rosbag2_plays_by(bag: Path) -> None:
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (8, "mcap")
    assert information["relative_file_paths"] == ["rosbag2.mcap"]
    noted = {each["topic_metadata"]["name"]: each for each in information["topics_with_message_count"]}
    assert len(noted) == len(TOPICS)
    for topic in TOPICS:
        each = noted[topic.within("stereo")]
        metadata = each["topic_metadata"]
        assert each["message_count"] == (1 if topic.quality == "latched" else 5)
        assert (metadata["type"], metadata["serialization_format"]) == (topic.type.TYPE, "cdr")
        assert metadata["type_description_hash"] == f"RIHS01_{TYPE_HASHES[topic.type.TYPE]}"
        (quality,) = yaml.safe_load(metadata["offered_qos_profiles"])
        assert (quality["history"], quality["depth"]) == HISTORY[topic.quality]
        assert (quality["reliability"], quality["durability"]) == PROMISES[topic.quality]
        assert quality["deadline"] == quality["lifespan"] == quality["liveliness_lease_duration"] == FOREVER


def test_ros_plays_it_and_another_process_hears_every_byte(bag: Path) -> None:
    pytest.importorskip("rclpy")
    from mcap.reader import make_reader

    from .ros_bag import topics

    environment = os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": "78"}
    program = [sys.executable, "-m", "tests.app.sinks.ros_bag"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment, "cwd": ROOT}
    player = subprocess.Popen([*program, "play", str(bag)], **pipes)  # type: ignore[call-overload]
    try:
        heard = subprocess.run([*program, "hear", str(bag)], check=True, **pipes | {"stdin": None})  # type: ignore[call-overload]
    finally:
        player.communicate()
    written: dict[str, list[bytes]] = {}
    with (bag / "rosbag2.mcap").open("rb") as file:
        for _, channel, message in make_reader(file).iter_messages():
            padding = bytes(-len(message.data) % 4)  # which the middleware adds on its way
            written.setdefault(channel.topic, []).append(message.data + padding)
    expected = {name: [len(written[name]), hashlib.sha256(b"".join(written[name])).hexdigest()] for name in topics(bag)}
    assert json.loads(heard.stdout.splitlines()[-1]) == expected and len(expected) >= 9
