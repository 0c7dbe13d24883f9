"""Publishers: the contract of their table, and what travels over Zenoh and ROS 2 where these are installed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.app.messages.topics import TOPICS
from roma_device.app.publishers import PUBLISHERS, open_publisher
from roma_device.app.sinks import SinkError
from roma_device.runtime import registry
from tests.app.shared_memory.writer import made

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0


@pytest.mark.parametrize("name", list(PUBLISHERS))
def test_each_publisher_is_there_and_refuses_what_it_does_not_know(name: str) -> None:
    assert hasattr(registry.load(PUBLISHERS, name), "from_spec")
    with pytest.raises(SinkError) as caught:
        open_publisher(f"{name}:x?nonsense=1")
    assert caught.value.exit_code == os.EX_USAGE


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("telegraph", "cannot publish to 'telegraph'; known: "),
        ("zenoh:nowhere", "zenoh:nowhere is no endpoint such as tcp/localhost:7447"),
        ("zenoh:?distro=foxy", "distro: 'foxy' is not one of humble, jazzy, kilted"),
        ("zenoh:?namespace=a//b", "namespace: 'a//b' is none"),
        ("ros2:depth", r"options stand behind a \?"),
        ("ros2:?depth=8UC1", "depth: '8UC1' is not one of 32FC1, 16UC1"),
        ("ros2:?stride=0", "stride: '0' is not a whole number from 1 to 64"),
    ],
)
def test_a_name_that_makes_no_sense_is_one_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(SinkError, match=sentence) as caught:
        open_publisher(spec)
    assert caught.value.exit_code == os.EX_USAGE


@pytest.mark.parametrize(
    ("name", "advice"), [("zenoh", "pip install eclipse-zenoh rosbags"), ("ros2", "source /opt/ros")]
)
def test_what_is_not_installed_is_said_with_the_way_to_it(
    name: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"zenoh": "zenoh", "ros2": "rclpy"}[name], None)
    with pytest.raises(SinkError, match=advice) as caught:
        open_publisher(name).__enter__()
    assert caught.value.exit_code == os.EX_UNAVAILABLE


@pytest.fixture
def router() -> Any:
    """A router on loopback, as rmw_zenoh has one."""
    zenoh = pytest.importorskip("zenoh")
    pytest.importorskip("rosbags")
    config = zenoh.Config()
    config.insert_json5("mode", '"router"')
    config.insert_json5("listen/endpoints", '["tcp/127.0.0.1:17447"]')
    config.insert_json5("scouting/multicast/enabled", "false")
    with zenoh.open(config) as session:
        yield session


@pytest.mark.parametrize("distro", ["humble", "jazzy"])
def test_what_travels_over_zenoh_is_what_rosbags_reads(router: Any, distro: str) -> None:
    from rosbags.typesys import Stores, get_typestore

    store, heard, is_there = get_typestore(Stores(f"ros2_{distro}")), [], threading.Event()

    def listen(sample: Any) -> None:
        heard.append((str(sample.key_expr), sample.payload.to_bytes(), sample.attachment.to_bytes()))
        is_there.set()

    tokens: list[str] = []
    subscriber = router.declare_subscriber("0/stereo/depth/image_rect/**", listen)
    with open_publisher(f"zenoh:tcp/127.0.0.1:17447?distro={distro}&domain=0") as publisher:
        while not is_there.is_set():
            publisher.write(made(7))
        for reply in router.liveliness().get("@ros2_lv/**"):
            tokens.append(str(reply.ok.key_expr))
        assert not publisher.has_subscriber(next(topic for topic in TOPICS if topic.name == "points"))  # type: ignore[attr-defined]
        subscriber.undeclare()
        while publisher.has_subscriber(next(topic for topic in TOPICS if topic.name == "depth/image_rect")):  # type: ignore[attr-defined]
            time.sleep(0.01)
    key, data, attachment = heard[0]
    parts = key.split("/")
    assert parts[4:5] == ["sensor_msgs::msg::dds_::Image_"]
    assert parts[5] == ("TypeHashNotSupported" if distro == "humble" else store.hash_rihs01("sensor_msgs/msg/Image"))
    message = store.deserialize_cdr(data, "sensor_msgs/msg/Image")
    assert np.array_equal(message.data.view(np.float32), np.full(64 * 48, 7, np.float32))
    assert int.from_bytes(attachment[:8], "little") == 1 and len(attachment) == 33 and attachment[16] == 16
    assert sum("/MP/" in token for token in tokens) == len(TOPICS) and sum("/NN/" in token for token in tokens) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rclpy_in_another_process_gets_every_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """ROS itself as the judge, on loopback alone, reliable."""
    pytest.importorskip("rclpy")
    environment = os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": "77"}
    program = [sys.executable, "-m", "tests.app.publishers.ros_subscriber", "3"]
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    process = subprocess.Popen(program, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        with open_publisher("ros2:?domain=77") as publisher:
            assert not publisher.has_subscriber(next(topic for topic in TOPICS if topic.name == "odom"))  # type: ignore[attr-defined]
            index = 0
            while process.poll() is None:
                publisher.write(made(index))
                index += 1
                with contextlib.suppress(subprocess.TimeoutExpired):  # as a camera of 50 Hz
                    process.wait(0.02)
        assert process.stdout is not None and process.stdout.read().splitlines()[-1] == "3 whole"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", sorted({topic.type.TYPE for topic in TOPICS}))
def test_type_hashes_are_those_of_ros(name: str) -> None:
    """By the files that ROS generates from its definitions: what a node asks for a topic by."""
    pytest.importorskip("rclpy")
    typesys = pytest.importorskip("rosbags.typesys")
    package, _, message = name.split("/")
    prefixes = [sys.prefix, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    files = [Path(prefix, "share", package, "msg", f"{message}.json") for prefix in prefixes]
    if package == "tf2_msgs" and not any(path.exists() for path in files):
        return  # the package index has no tf2_msgs
    described = json.loads(next(path for path in files if path.exists()).read_text())
    theirs = {each["type_name"]: each["hash_string"] for each in described["type_hashes"]}
    store = typesys.get_typestore(typesys.Stores.ROS2_KILTED)
    assert store.hash_rihs01(name) == theirs[name]
