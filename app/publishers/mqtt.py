"""Publisher of state over MQTT: retained, with a last will, so that everybody knows a board that is lost.

Topics below ``roma/ID``: ``state`` ("online", "offline" at an orderly end, "lost" by the broker), ``health`` as JSON.
Home Assistant finds the sensors by its discovery.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from roma_device.app.sinks import SinkError
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_text
from roma_device.runtime.extras import install_line
from roma_device.runtime.types import Result

from .options import split, usage, whole

EARLIER_S = 4
"""So much less than ``keepalive_s`` is agreed on: brokers wait 1.5 times that, and mosquitto looks every 5 s alone."""

KEYS = ("id", "user", "password_file", "ca", "keepalive_s", "every_s", "discovery")
CLOSE_S = 1.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

SENSORS = {
    "nearest_m": ("Nearest obstacle", "distance", "m"),
    "known": ("Known share of the image", None, "%"),
    "fps": ("Rate", None, "Hz"),
    "dropped": ("Dropped frames", None, None),
}
"""Key of the health record -> name, device class and unit for Home Assistant."""


def nearest_m(result: Result, share: float = 0.001) -> float | None:
    """The nearest obstacle on the ground where obstacles are looked for (m along it), None where there is none.

    Else the distance along Z that a thousandth of the image is nearer than: single pixels are no obstacle. None:
    unknown.
    """
    if result.obstacles is not None:
        return None if result.obstacles.nearest is None else float(result.obstacles.nearest.distance_m)
    if result.depth is None:
        return None
    depth_m = result.depth.depth_m[result.known]
    count = int(share * result.known.size)
    return float(np.partition(depth_m, count)[count]) if depth_m.size > count else None


class MqttPublisher:
    """``mqtt:HOST[:PORT][?id=...]`` or ``mqtt:mqtts://HOST``; a context manager. paho's thread talks to the broker.

    Nothing waits for the broker: while it is away, the newest state takes the place of those before.
    """

    def __init__(self, host: str, port: int, tls: bool, values: dict[str, str]) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._id = values.get("id", re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64])
        if not _ID.fullmatch(self._id):
            raise usage(f"id: {self._id!r} is none: take letters, digits, _ and -, 64 at most")
        self._keepalive_s = whole(values, "keepalive_s", 10, 1, 3600)
        self._every_s = whole(values, "every_s", 1, 1, 3600)
        self._discovery = values.get("discovery", "homeassistant")
        self._user, self._password, self._ca = values.get("user"), _password(values), values.get("ca")
        self._client: Any = None
        self._frames, self._due_s, self._since_s = 0, 0.0, time.monotonic()

    @classmethod
    def from_spec(cls, argument: str) -> MqttPublisher:
        """From ``[mqtt://|mqtts://]HOST[:PORT][?id=&user=&password_file=&ca=&keepalive_s=&every_s=&discovery=]``."""
        address, values = split(argument, "mqtt", KEYS)
        parts = urlsplit(address if "//" in address else f"mqtt://{address}")
        tls = parts.scheme == "mqtts"
        try:
            port = parts.port or (8883 if tls else 1883)
        except ValueError:
            port = 0
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not port or parts.path or parts.username:
            raise usage(f"mqtt:{address} is no broker such as localhost, localhost:1883 or mqtts://broker:8883")
        if ("user" in values) != ("password_file" in values):
            raise usage("mqtt: user= and password_file= belong together")
        return cls(unquote(parts.hostname), port, tls, values)

    def __enter__(self) -> MqttPublisher:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            message = f"publishing to mqtt needs a package more: {install_line('mqtt')}"
            raise SinkError(message, exit_code=os.EX_UNAVAILABLE) from None
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"roma-{self._id}")
        client.will_set(self._topic("state"), "lost", qos=1, retain=True)
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls or self._ca:
            self._set_tls(client)
        client.reconnect_delay_set(1, 10)
        client.on_connect = self._greet
        # In the client's thread from the start: a broker that is not there yet holds nobody up.
        client.connect_async(self._host, self._port, max(1, self._keepalive_s - EARLIER_S))
        client.loop_start()
        self._client = client
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is None:
            return
        client, self._client = self._client, None
        with suppress(ValueError, RuntimeError):
            if client.is_connected():
                client.publish(self._topic("state"), "offline", qos=1, retain=True).wait_for_publish(CLOSE_S)
        client.disconnect()
        client.loop_stop()

    def write(self, result: Result) -> None:
        """Publish the health of a result, at most every ``every_s``; costs nothing in between, and never waits."""
        self._frames += 1
        now_s = time.monotonic()
        if now_s < self._due_s or self._client is None or not self._client.is_connected():
            return
        record = self._record(result, now_s)
        self._due_s, self._frames, self._since_s = now_s + self._every_s, 0, now_s
        self._client.publish(self._topic("health"), json.dumps(record), qos=0, retain=True)

    def _record(self, result: Result, now_s: float) -> dict[str, Any]:
        nearest = nearest_m(result)
        return {
            "index": result.index,
            "fps": round(self._frames / max(now_s - self._since_s, 1e-6), 2),
            "known": round(100 * float(result.known.mean()), 2),
            "nearest_m": None if nearest is None else round(nearest, 3),
            "dropped": result.dropped,
            "total_ms": round(result.times.total_ms, 3),
            "pose": None if result.pose is None else result.pose.state,
        }

    def _topic(self, name: str) -> str:
        return f"roma/{self._id}/{name}"

    def _greet(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        """In the client's thread, at each connection."""
        if reason.is_failure:
            return
        client.publish(self._topic("state"), "online", qos=1, retain=True)
        for key, record in self._sensors().items() if self._discovery else ():
            client.publish(f"{self._discovery}/sensor/roma_{self._id}/{key}/config", json.dumps(record), 1, True)

    def _sensors(self) -> dict[str, dict[str, Any]]:
        """What Home Assistant is told of each sensor."""
        device = {"identifiers": [f"roma-{self._id}"], "name": f"roma-device {self._id}", "model": "stereo camera"}
        found = {}
        for key, (name, device_class, unit) in SENSORS.items():
            facts = {"device_class": device_class, "unit_of_measurement": unit}
            found[key] = {
                "name": name,
                "unique_id": f"roma_{self._id}_{key}",
                "state_topic": self._topic("health"),
                "value_template": f"{{{{ value_json.{key} }}}}",
                "availability_topic": self._topic("state"),
                "payload_available": "online",
                "payload_not_available": "lost",
                "device": device,
            } | {fact: value for fact, value in facts.items() if value is not None}
        return found

    def _set_tls(self, client: Any) -> None:
        try:
            client.tls_set(ca_certs=self._ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        except (OSError, ssl.SSLError) as error:
            message = f"mqtt: ca={self._ca} cannot be used: {error.strerror or error}"
            raise SinkError(message, exit_code=os.EX_NOINPUT) from None


class PasswordError(RomaError):
    """A password that cannot be read."""

    exit_code = os.EX_NOINPUT


def _password(values: dict[str, str]) -> str | None:
    """A file's first line: what stands on a command line can be read by everybody."""
    if "password_file" not in values:
        return None
    lines = read_text(Path(values["password_file"]), "password", PasswordError).splitlines()
    return lines[0] if lines else ""
