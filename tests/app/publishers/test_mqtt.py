"""State over MQTT, with a real broker where there is one."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.app.publishers import open_publisher
from roma_device.app.publishers.mqtt import nearest_m
from roma_device.app.sinks import SinkError
from tests.app.shared_memory.writer import made

PATIENCE_S = 60.0
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
ROOT = Path(__file__).parents[3]


def test_the_nearest_obstacle_is_more_than_a_pixel() -> None:
    result = made(9)
    assert result.depth is not None
    result.depth.depth_m[:] = 5.0
    result.depth.depth_m[0, 0] = 0.3
    assert nearest_m(result) == 5.0
    result.depth.depth_m[10:20, 10:20] = 1.5
    assert nearest_m(result) == 1.5
    result.depth.depth_m[:] = np.nan
    assert nearest_m(result) is None


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("mqtt:", "is no broker such as localhost"),
        ("mqtt:localhost:99999", "is no broker such as localhost"),
        ("mqtt:http://localhost", "is no broker such as localhost"),
        ("mqtt:localhost?user=me", "user= and password_file= belong together"),
        ("mqtt:localhost?id=a/b", "id: 'a/b' is none"),
        ("mqtt:localhost?keepalive_s=0", "keepalive_s: '0' is not a whole number"),
    ],
)
def test_a_name_that_makes_no_sense_is_one_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(SinkError, match=sentence):
        open_publisher(spec)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_broker_that_is_not_there_holds_nobody_up() -> None:
    pytest.importorskip("paho.mqtt.client")
    with open_publisher(f"mqtt:127.0.0.1:{free_port()}?id=alone") as publisher:
        for index in range(100):
            publisher.write(made(index))


class Broker:
    def __init__(self, folder: Path, access: str = "allow_anonymous true\n") -> None:
        self.port = free_port()
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n{access}")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._settings)], stdout=quiet, stderr=quiet)
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    pytest.importorskip("paho.mqtt.client")
    if MOSQUITTO is None:
        pytest.skip("there is no mosquitto")
    made_broker = Broker(tmp_path)
    yield made_broker
    made_broker.kill()


class Listener:
    """Everything that is published, and a wait for what is expected."""

    def __init__(self, port: int, authority: Path | None = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: dict[str, str] = {}
        self._news = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        if authority is not None:
            self._client.tls_set(str(authority))
            self._client.username_pw_set("board", "secret")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: Any, _data: Any, message: Any) -> None:
        with self._news:
            self.heard[message.topic] = message.payload.decode()
            self._news.notify_all()

    def wait(self, topic: str, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.heard.get(topic, ""), PATIENCE_S), self.heard

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_state_health_and_discovery_are_retained_and_outlive_the_broker(broker: Broker) -> None:
    with open_publisher(f"mqtt:127.0.0.1:{broker.port}?id=board") as publisher:
        listener = Listener(broker.port)
        listener.wait("roma/board/state", "online")
        publisher.write(made(3))
        listener.wait("roma/board/health", '"index": 3')
        record = json.loads(listener.heard["roma/board/health"])
        assert record["nearest_m"] == 3.0 and record["known"] == 100
        config = json.loads(listener.heard["homeassistant/sensor/roma_board/nearest_m/config"])
        assert config["state_topic"] == "roma/board/health" and config["unit_of_measurement"] == "m"
        broker.kill()
        publisher.write(made(4))
        listener.heard.clear()
        broker.start()
        listener.wait("roma/board/state", "online")
    listener.wait("roma/board/state", "offline")
    listener.close()


@pytest.fixture
def locked_broker(tmp_path: Path) -> Iterator[Broker]:
    """One that asks for a password, over TLS with a certificate of an authority of its own, ``authority.pem``."""
    pytest.importorskip("paho.mqtt.client")
    if MOSQUITTO is None or shutil.which("mosquitto_passwd") is None or shutil.which("openssl") is None:
        pytest.skip("needs mosquitto, mosquitto_passwd and openssl")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for words in (
        f"req -x509 {key} -days 2 -subj /CN=authority -keyout authority.key -out authority.pem",
        f"req -x509 {key} -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        "-addext basicConstraints=critical,CA:FALSE -CA authority.pem -CAkey authority.key "
        "-keyout broker.key -out broker.pem",
    ):
        subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["mosquitto_passwd", "-c", "-b", "passwords", "board", "secret"], cwd=tmp_path, check=True)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    made_broker = Broker(
        tmp_path,
        f"allow_anonymous false\npassword_file {tmp_path}/passwords\n"
        f"certfile {tmp_path}/broker.pem\nkeyfile {tmp_path}/broker.key\n",
    )
    yield made_broker
    made_broker.kill()


def test_with_password_and_an_authority_of_ones_own_it_outlives_the_broker(
    locked_broker: Broker, tmp_path: Path
) -> None:
    authority = tmp_path / "authority.pem"
    address = f"mqtts://127.0.0.1:{locked_broker.port}"
    query = f"user=board&password_file={tmp_path}/password&ca={authority}&id=locked"
    with open_publisher(f"mqtt:{address}?{query}") as publisher:
        listener = Listener(locked_broker.port, authority)
        listener.wait("roma/locked/state", "online")
        publisher.write(made(3))
        listener.wait("roma/locked/health", '"index": 3')
        locked_broker.kill()
        listener.heard.clear()
        locked_broker.start()
        listener.wait("roma/locked/state", "online")
    listener.wait("roma/locked/state", "offline")
    listener.close()


@contextmanager
def board(broker: Broker, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that is connected as ``name`` and does nothing."""
    spec = f"mqtt:127.0.0.1:{broker.port}?id={name}&keepalive_s=1"
    program = f"""
import signal
from roma_device.app.publishers import open_publisher
with open_publisher({spec!r}):
    signal.pause()"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_board_that_is_killed_is_told_by_its_last_will(broker: Broker) -> None:
    with board(broker, "dying") as process:
        listener = Listener(broker.port)
        listener.wait("roma/dying/state", "online")
        process.send_signal(signal.SIGKILL)
        listener.wait("roma/dying/state", "lost")
        listener.close()


@pytest.mark.slow
def test_a_board_that_hangs_is_told_by_its_last_will_and_is_back_when_it_goes_on(broker: Broker) -> None:
    """The broker waits for 1.5 times the keepalive; mosquitto looks every 5 s."""
    with board(broker, "hung") as process:
        listener = Listener(broker.port)
        listener.wait("roma/hung/state", "online")
        process.send_signal(signal.SIGSTOP)
        listener.wait("roma/hung/state", "lost")
        process.send_signal(signal.SIGCONT)
        listener.wait("roma/hung/state", "online")
        listener.close()
