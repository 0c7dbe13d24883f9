"""A bag in ROS's own hands: ``ros_bag play|hear FOLDER``.

``play`` publishes as rosbag2's player does: a publisher for each topic with the quality of service that the metadata
notes, and the messages as the bytes that they are, in the order of their stamps. ``hear`` subscribes to all of them in
another process, has ROS decode each, and prints the number and sha256 of what it got by topic. Topics whose package is
not installed are left out by both.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from mcap.reader import make_reader

PATIENCE_S = 60.0
PACE_S = 0.002


def topics(folder: Path) -> dict[str, tuple[type[Any], dict[str, Any], int]]:
    """Name -> class, quality of service and number of messages."""
    found: dict[str, tuple[type[Any], dict[str, Any], int]] = {}
    information = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    for each in information["topics_with_message_count"]:
        metadata = each["topic_metadata"]
        package, _, name = metadata["type"].split("/")
        try:
            kind = getattr(import_module(f"{package}.msg"), name)
        except ImportError:
            continue
        (quality,) = yaml.safe_load(metadata["offered_qos_profiles"])
        found[metadata["name"]] = kind, quality, each["message_count"]
    return found


def profile(quality: dict[str, Any]) -> Any:
    """As the enumerations of rmw have them."""
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

    return QoSProfile(
        history=HistoryPolicy(quality["history"]),
        depth=quality["depth"],
        reliability=ReliabilityPolicy(quality["reliability"]),
        durability=DurabilityPolicy(quality["durability"]),
    )


def play(folder: Path, node: Any) -> None:
    publishers = {
        name: node.create_publisher(kind, name, profile(quality)) for name, (kind, quality, _) in topics(folder).items()
    }
    while not all(publisher.get_subscription_count() for publisher in publishers.values()):
        time.sleep(PACE_S)
    with next(folder.glob("*.mcap")).open("rb") as file:
        for _, channel, message in make_reader(file).iter_messages():
            if channel.topic in publishers:
                publishers[channel.topic].publish(message.data)
                time.sleep(PACE_S)
    for publisher in publishers.values():
        publisher.wait_for_all_acked()
    sys.stdin.read()  # until the listener has what it wants


def hear(folder: Path, node: Any) -> None:
    import rclpy
    from rclpy.serialization import deserialize_message

    wanted, heard = topics(folder), dict[str, list[bytes]]()
    for name, (kind, quality, _) in wanted.items():

        def take(data: bytes, name: str = name, kind: type[Any] = kind) -> None:
            deserialize_message(data, kind)
            heard.setdefault(name, []).append(data)

        node.create_subscription(kind, name, take, profile(quality), raw=True)
    end_s = time.monotonic() + PATIENCE_S
    while any(len(heard.get(name, [])) < count for name, (_, _, count) in wanted.items()) and time.monotonic() < end_s:
        rclpy.spin_once(node, timeout_sec=1.0)
    print(json.dumps({name: [len(data), hashlib.sha256(b"".join(data)).hexdigest()] for name, data in heard.items()}))


def main(what: str, folder: str) -> None:
    import rclpy

    rclpy.init()
    {"play": play, "hear": hear}[what](Path(folder), rclpy.create_node(what))


if __name__ == "__main__":
    main(*sys.argv[1:])
