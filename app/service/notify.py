"""sd_notify(3): readiness, status and watchdog as datagrams to the socket that systemd names."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from loguru import logger


class Notifier:
    """Says nothing where nobody listens: outside of a unit with Type=notify."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name  # @: in the abstract namespace
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watchdog_s = _watchdog_s(environment)
        self._petted_s = 0.0

    @property
    def is_active(self) -> bool:
        return self._socket is not None

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def pet(self) -> None:
        """Tell the watchdog that a frame went all the way through; more than four times per interval is no use."""
        now_s = time.monotonic()
        if self.watchdog_s and now_s - self._petted_s >= self.watchdog_s / 4:
            self._petted_s = now_s if self._send("WATCHDOG=1") else self._petted_s

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> bool:
        """Whether it was heard; nobody waits for a systemd that is busy."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            logger.debug(f"systemd does not listen: {error}")
            return False
        return True


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """The interval in which the watchdog wants to be petted; 0: there is none, or it is meant for another process."""
    text, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    meant = not pid or pid == str(os.getpid())
    return int(text) / 1e6 if meant and text.isdecimal() else 0.0
