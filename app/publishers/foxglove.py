"""Publisher to Foxglove: a WebSocket server on this machine, with the channels that a file has, and points."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.app.addresses import is_loopback, parse_address
from roma_device.app.foxglove.channels import CHANNELS, Channel, Maker, encoded
from roma_device.app.sinks import SinkError
from roma_device.runtime.extras import install_line
from roma_device.runtime.types import Result

from .options import split, usage, whole

KEYS = ("stride", "cert", "key")
DEFAULT = "127.0.0.1:8765"
BACKLOG = 24
"""Messages that wait for one client; where it is slower, the oldest of them go: two to three frames."""


class FoxglovePublisher(AbstractContextManager["FoxglovePublisher"]):
    """``foxglove[:HOST:PORT][?stride=N&cert=FILE&key=FILE]``; nothing is made that no client asked for."""

    def __init__(self, address: str, maker: Maker, certificate: tuple[bytes, bytes] | None) -> None:
        self._host, self._port = parse_address(address)
        self._maker, self._certificate = maker, certificate
        self._channels: dict[str, Any] = {}
        self._context: Any = None
        self._server: Any = None

    @classmethod
    def from_spec(cls, argument: str) -> FoxglovePublisher:
        """Raises SinkError; other machines are let in with a certificate alone, as Foxglove knows no password."""
        address, values = split(argument, "foxglove", KEYS)
        address = DEFAULT if not address else f"127.0.0.1:{address}" if address.isdecimal() else address
        try:
            host, _ = parse_address(address)
        except ValueError:
            raise usage(f"foxglove:{address} is no address such as {DEFAULT}") from None
        if ("cert" in values) != ("key" in values):
            raise usage("foxglove: cert and key belong together")
        if not is_loopback(host) and "cert" not in values:
            message = f"foxglove:{address} could be reached by other machines, without a password: "
            raise usage(f"{message}use ssh -L to {DEFAULT}, or give cert and key, in a network that you trust")
        certificate = (_read(values["cert"]), _read(values["key"])) if "cert" in values else None
        return cls(address, Maker(whole(values, "stride", 4, 1, 64)), certificate)

    @property
    def port(self) -> int:
        """Where it listens, inside its ``with`` block."""
        return int(self._server.port)

    def __enter__(self) -> FoxglovePublisher:
        try:
            import foxglove
        except ImportError:
            message = f"publishing to foxglove needs a package more: {install_line('live')}"
            raise SinkError(message, exit_code=os.EX_UNAVAILABLE) from None
        context = self._context = foxglove.Context()  # where nobody holds it, its channels are gone
        for channel in CHANNELS:
            schema = foxglove.Schema(**dict(zip(("name", "encoding", "data"), channel.schema(), strict=True)))
            self._channels[channel.topic] = foxglove.Channel(
                channel.topic, schema=schema, message_encoding=channel.encoding, context=context
            )
        cert, key = self._certificate or (None, None)
        try:
            self._server = foxglove.start_server(
                name="roma-device",
                host=self._host,
                port=self._port,
                context=context,
                message_backlog_size=BACKLOG,
                tls_cert=cert,
                tls_key=key,
            )
        except Exception as error:  # the library has no class of its own for it
            raise SinkError(f"cannot offer foxglove on {self._host}:{self._port}: {error}") from None
        scheme = "wss" if self._certificate else "ws"
        logger.info(f"Foxglove: open connection {scheme}://{self._host}:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._channels, self._context = {}, None

    def write(self, result: Result) -> None:
        """Publish the messages of one result that clients have subscribed to; raises SinkError."""
        for channel, data in encoded(self._maker, result, self._is_wanted):
            self._channels[channel.topic].log(data, log_time=self._maker.stamp_ns(result))

    def _is_wanted(self, channel: Channel) -> bool:
        return bool(self._channels[channel.topic].has_sinks())


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise usage(f"foxglove: cannot read {path}: {error.strerror or error}") from None
