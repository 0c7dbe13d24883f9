"""Lock of a run folder against a second writer."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from loguru import logger

NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system without such locks says, some of the network among them."""


class FolderLock:
    """An exclusive ``flock`` on the folder itself: nothing is left behind, and it ends with its process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, folder: Path) -> FolderLock | None:
        """None where another process, or another run of this one, has it; raises OSError."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(descriptor)
                raise
            logger.warning(f"{folder}: this file system has no locks, so nothing keeps a second run from writing there")
        return cls(descriptor)

    @classmethod
    def is_held(cls, folder: Path) -> bool | None:
        """Whether somebody writes in ``folder``; None where that cannot be asked."""
        try:
            lock = cls.take(folder)
        except OSError:
            return None
        if lock is not None:
            lock.release()
        return lock is None

    def release(self) -> None:
        """Let others in; safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
