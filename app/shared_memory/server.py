"""The writer's end of the socket: who reads, who may, and waking them. Nothing here waits."""

from __future__ import annotations

import errno
import os
import pwd
import select
import socket
import struct
from contextlib import suppress

from roma_device.app.sinks import SinkError

from .greeting import FRAME, REFUSAL, RING, address_of, encode

MOST_READERS = 32
SO_PEERGROUPS = 59
_CREDENTIALS = struct.Struct("3i")


class Server:
    """Listens from construction to ``close``; raises SinkError where that cannot be."""

    def __init__(self, name: str) -> None:
        self._name, self._readers, self._waiting = name, list[socket.socket](), list[socket.socket]()
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, kind)
        try:
            self._socket.bind(address_of(name))
            self._socket.listen(MOST_READERS)
        except OSError as error:
            self._socket.close()
            raise _explain(name, error) from None
        self._doorbell, self._called = select.poll(), select.poll()
        self._doorbell.register(self._socket, select.POLLIN)
        self._called.register(self._socket, select.POLLIN)

    @property
    def is_read(self) -> bool:
        """Whether anybody has read so far; a single look, which another thread may take."""
        return bool(self._readers or self._waiting)

    def is_called(self) -> bool:
        """Whether somebody has come who was not let in yet; for one other thread than that of all else."""
        return bool(self._called.poll(0))

    def has_readers(self, ring: int | None) -> bool:
        """Whether anybody reads; those who have come meanwhile are given ``ring``, a descriptor, once there is one."""
        if self._doorbell.poll(0):  # a fifth of the time that an accept takes which finds nobody
            while (reader := self._accept()) is not None:
                self._waiting.append(reader)
        if ring is not None and self._waiting:
            self._readers += [reader for reader in self._waiting if _give(reader, ring)]
            self._waiting.clear()
        return self.is_read

    def change_ring(self, ring: int) -> None:
        """Give everybody a new one."""
        self._waiting = self._readers + self._waiting
        self._readers = []
        self.has_readers(ring)

    def wake(self, number: int) -> None:
        """Tell that frame ``number`` is there. A reader that is not listening finds it when it does."""
        message, gone = encode(FRAME, number), []
        for reader in self._readers:
            try:
                reader.send(message)
            except BlockingIOError:
                pass
            except OSError:
                gone.append(reader)
        for reader in gone:
            self._readers.remove(reader)
            reader.close()

    def close(self) -> None:
        for each in (*self._readers, *self._waiting, self._socket):
            each.close()

    def _accept(self) -> socket.socket | None:
        """A reader that may read; None where there is no more."""
        while True:
            try:
                reader, _ = self._socket.accept()
            except OSError:
                return None
            reader.setblocking(False)
            refusal = self._refusal(reader)
            if refusal is None:
                return reader
            with suppress(OSError):
                reader.send(encode(REFUSAL, text=refusal))
            reader.close()

    def _refusal(self, reader: socket.socket) -> str | None:
        if len(self._readers) + len(self._waiting) >= MOST_READERS:
            return f"shm:{self._name} has {MOST_READERS} readers already"
        return None if may_read(reader) else f"shm:{self._name} is for the user and group of its writer"


def may_read(reader: socket.socket) -> bool:
    """As a file of mode 0640: root, the writer's user, and members of its group."""
    try:
        _, user, group = _CREDENTIALS.unpack(
            reader.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if user in (0, os.geteuid()) or group == os.getegid():
            return True
        groups = reader.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4096)
    except OSError:  # gone already, or a kernel before 4.13: what is not known is not allowed
        return False
    return os.getegid() in memoryview(groups).cast("I").tolist()


def _give(reader: socket.socket, ring: int) -> bool:
    try:
        socket.send_fds(reader, [encode(RING)], [ring])
    except OSError:  # gone, or so far behind that it cannot even be told
        reader.close()
        return False
    return True


def _explain(name: str, error: OSError) -> SinkError:
    if error.errno == errno.EADDRINUSE:
        message = f"another program publishes to shm:{name} already: take another name, or stop it"
        return SinkError(message, exit_code=os.EX_UNAVAILABLE)
    user = pwd.getpwuid(os.geteuid()).pw_name
    return SinkError(f"cannot publish to shm:{name} as {user}: {error.strerror}")
