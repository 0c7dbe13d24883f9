"""TLS for the web server: a certificate's context, and a connection that looks like a plain one that never blocks."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from roma_device.calibration.errors import RomaError

LONGEST_RECORD_BYTES = 1 << 14
"""What is left of a record inside of the TLS layer no selector would tell of: it is read as a whole."""

Value = TypeVar("Value")


class TlsError(RomaError):
    """A certificate or key that cannot be used."""

    exit_code = os.EX_CONFIG


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Context from PEM files, TLS 1.2 and later; nobody is there to type a key's password. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise TlsError(f"cannot read {path}: {error.strerror or error}") from None

    def no_password() -> str:
        raise TlsError(f"{key} is encrypted: give a key without a password, readable for this program alone")

    try:
        context.load_cert_chain(certificate, key, no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None)
        why = "the key is not the certificate's" if reason == "KEY_VALUES_MISMATCH" else "PEM is wanted in both"
        raise TlsError(f"{certificate} and {key} are no certificate with its key: {why}") from None
    return context


class TlsConnection:
    """The server's side of a connection; what cannot be done at once raises BlockingIOError, as sockets do."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Raises OSError where the client is gone already."""
        connection.setblocking(False)
        self._secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._is_open = False
        self.waits_for: int | None = selectors.EVENT_READ  # None: for nothing besides what its user waits for

    def fileno(self) -> int:
        return self._secure.fileno()

    def setblocking(self, flag: bool) -> None:
        self._secure.setblocking(flag)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self._secure.setsockopt(level, option, value)

    def recv(self, size: int) -> bytes:
        """What has come, b"" at the end; at least ``size`` is asked for."""
        return self._step(lambda: self._secure.recv(max(size, LONGEST_RECORD_BYTES)))

    def send(self, data: memoryview) -> int:
        """How much of ``data`` was taken."""
        return self._step(lambda: self._secure.send(data))

    def shutdown(self, how: int) -> None:
        """Say that nothing more comes, without waiting for what the client says to it."""
        with contextlib.suppress(OSError, ValueError):
            self._secure.unwrap()
        with contextlib.suppress(OSError):
            self._secure.shutdown(how)

    def close(self) -> None:
        self._secure.close()

    def _step(self, step: Callable[[], Value]) -> Value:
        try:
            if not self._is_open:
                self._secure.do_handshake()
                self._is_open = True
            self.waits_for = None
            return step()
        except ssl.SSLWantReadError:
            self.waits_for = selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            self.waits_for = selectors.EVENT_WRITE
        raise BlockingIOError
