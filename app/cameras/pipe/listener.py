"""Unix domain socket that producers connect to: made, taken over where its owner is dead, and removed."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from roma_device.app.cameras import CameraError

MODE = 0o660
"""Of the socket: the user and the group of this program may connect."""

WAITING = 8


class Listener:
    """Listens from construction to ``close``; raises CameraError where that cannot be."""

    def __init__(self, path: str) -> None:
        self.path = path
        _remove_dead(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self.socket.bind(path)
            self._inode = Path(path).stat().st_ino
            Path(path).chmod(MODE)
            self.socket.listen(WAITING)
        except OSError as error:
            self.socket.close()
            raise _explain(path, error) from None

    def accept(self) -> socket.socket | None:
        """A producer that has connected, None where there is no more."""
        try:
            connection, _ = self.socket.accept()
        except OSError:  # nobody there any more, or no descriptor left: the next look finds those who stay
            return None
        connection.setblocking(False)
        return connection

    def close(self) -> None:
        """Removes the socket, unless another program has put its own in that place."""
        self.socket.close()
        with suppress(OSError):
            if Path(self.path).stat().st_ino == self._inode:
                Path(self.path).unlink()


def _remove_dead(path: str) -> None:
    """A socket that nobody listens to is left from a program that was killed."""
    try:
        is_socket = stat.S_ISSOCK(Path(path).lstat().st_mode)
    except OSError:
        return
    if not is_socket:
        raise CameraError(f"{path} is there already and is no socket", exit_code=os.EX_USAGE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(OSError):
                Path(path).unlink()
            return
        except OSError as error:
            raise _explain(path, error) from None
    raise CameraError(f"another program takes frames at {path}: `fuser {path}` names it")


def _explain(path: str, error: OSError) -> CameraError:
    if isinstance(error, PermissionError):
        return CameraError(f"no permission to make the socket {path}", exit_code=os.EX_NOPERM)
    if isinstance(error, FileNotFoundError):
        message = f"the folder of the socket {path} does not exist"
        return CameraError(message, exit_code=os.EX_CANTCREAT)
    return CameraError(f"cannot listen at {path}: {error.strerror or error}")
