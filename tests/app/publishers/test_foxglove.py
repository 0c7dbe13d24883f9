"""Foxglove live: refusals, and what a WebSocket client that others wrote receives where the packages are installed."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.app.foxglove.channels import CHANNELS, Maker, encoded
from roma_device.app.foxglove.frames import optical_from_ground
from roma_device.app.foxglove.wire import varint
from roma_device.app.publishers import open_publisher
from roma_device.app.sinks import SinkError
from roma_device.runtime.obstacles.obstacle_map import GroundPlane
from roma_device.runtime.types import Result
from tests.app.shared_memory.writer import made

PATIENCE_S = 60.0


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("foxglove:0.0.0.0:8765", "could be reached by other machines, without a password: use ssh -L"),
        ("foxglove:127.0.0.1:port", "is no address such as 127.0.0.1:8765"),
        ("foxglove:?cert=a.pem", "cert and key belong together"),
        ("foxglove:?cert=/nowhere/a&key=/nowhere/b", "cannot read /nowhere/a: No such file"),
        ("foxglove:?stride=0", "stride: '0' is not a whole number from 1 to 64"),
    ],
)
def test_what_would_be_open_or_makes_no_sense_is_refused(spec: str, sentence: str) -> None:
    with pytest.raises(SinkError, match=sentence) as caught:
        open_publisher(spec)
    assert caught.value.exit_code == os.EX_USAGE


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "foxglove", None)
    with pytest.raises(SinkError, match="pip install foxglove-sdk") as caught:
        open_publisher("foxglove").__enter__()
    assert caught.value.exit_code == os.EX_UNAVAILABLE


@pytest.mark.parametrize(
    ("value", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**35, "808080808001")]
)
def test_whole_numbers_are_as_the_format_has_them(value: int, data: str) -> None:
    assert varint(value).hex() == data


def test_the_ground_lies_below_the_camera() -> None:
    pitch = np.radians(20)
    ground = GroundPlane(np.array([0.0, -np.cos(pitch), -np.sin(pitch)]), 0.8, 1.0)
    pose = optical_from_ground(ground)
    np.testing.assert_allclose(pose.inverse().apply(np.zeros(3)), [0, 0, 0.8], atol=1e-9)
    assert pose.inverse().apply(np.array([0.0, 0.0, 1.0]))[0] == pytest.approx(np.cos(pitch))
    assert np.linalg.det(pose.rotation) == pytest.approx(1)


def test_nothing_is_made_where_nobody_asks() -> None:
    assert list(encoded(Maker(), made(0), lambda channel: False)) == []


def test_schemas_are_those_of_foxglove() -> None:
    messages = pytest.importorskip("foxglove.messages")
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    for channel in CHANNELS:
        if channel.schema_name is not None:
            theirs = getattr(messages, channel.schema_name.partition(".")[2]).get_schema()
            assert theirs.name == channel.schema_name and theirs.encoding == channel.schema()[1]
            ours, named = (_files(descriptor_pb2, data) for data in (channel.schema()[2], theirs.data))
            assert ours == named


def _files(descriptor_pb2: Any, data: bytes) -> dict[str, str]:
    """File -> its content, without what says nothing of the messages."""
    files = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        file.ClearField("options")
        for field in (field for message in file.message_type for field in message.field):
            field.ClearField("json_name")
        files[file.name] = str(file)
    return files


def test_a_client_gets_every_channel_it_asks_for_and_the_depth_to_the_bit() -> None:
    pytest.importorskip("foxglove")
    client = pytest.importorskip("websockets.sync.client")
    result = made(0)
    with open_publisher("foxglove:0") as publisher:
        url = f"ws://127.0.0.1:{publisher.port}"  # type: ignore[attr-defined]
        with client.connect(url, subprotocols=["foxglove.sdk.v1"], max_size=None) as socket:
            channels = _advertised(socket)
            wanted = dict(encoded(Maker(), result, lambda channel: channel.topic in channels))
            assert set(channels) == {channel.topic for channel in CHANNELS}
            received = _received(socket, channels, publisher, result, {channel.topic for channel in wanted})
    for channel, data in wanted.items():
        assert channels[channel.topic]["schemaName"] == channel.schema()[0]
        if channel.topic in ("/depth", "/left/image", "/points", "/left/calibration"):
            assert received[channel.topic][-100:] == data[-100:]
            assert abs(len(received[channel.topic]) - len(data)) <= 4  # the stamp's nanoseconds take 1 to 5 bytes


def _advertised(socket: Any) -> dict[str, Any]:
    channels: dict[str, Any] = {}
    while len(channels) < len(CHANNELS):
        message = json.loads(socket.recv(PATIENCE_S))
        channels |= {channel["topic"]: channel for channel in message.get("channels", [])}
    return channels


def _received(
    socket: Any, channels: dict[str, Any], publisher: Any, result: Result, topics: set[str]
) -> dict[str, bytes]:
    """Topic -> its message; results are written until all have come, as nobody says when a subscription holds."""
    numbers = {channel["id"]: topic for topic, channel in channels.items()}
    wishes = [{"id": number, "channelId": number} for number in numbers]
    socket.send(json.dumps({"op": "subscribe", "subscriptions": wishes}))
    found: dict[str, bytes] = {}
    while topics - set(found):
        publisher.write(result)
        try:
            message = socket.recv(0.2)
        except TimeoutError:
            continue
        if isinstance(message, bytes):
            (number,) = struct.unpack_from("<I", message, 1)
            found[numbers[number]] = message[13:]
    return found


def test_the_layout_shows_channels_that_there_are() -> None:
    layout = json.loads((Path(__file__).parents[3] / "examples" / "foxglove-layout.json").read_text())
    text = json.dumps(layout)
    for topic in (
        "/left/image",
        "/left/calibration",
        "/depth",
        "/depth/preview",
        "/points",
        "/scan",
        "/status.total_ms",
    ):
        assert f'"{topic}"' in text
    assert set(layout["configById"]) == set(_panels(layout, layout["layout"]))


def _panels(layout: Any, node: Any) -> list[str]:
    if not isinstance(node, str):
        return _panels(layout, node["first"]) + _panels(layout, node["second"])
    tabs = layout["configById"][node].get("tabs", [])
    return [node] + [panel for tab in tabs for panel in _panels(layout, tab["layout"])]
