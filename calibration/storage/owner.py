"""Root acts as the service's user where it changes the service's state: what that user put there leads root nowhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """As the owner of ``folder``, or of the nearest one above that is there; nothing changes for all but root."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    owner = place.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextlib.contextmanager
def acting_as_caller() -> Iterator[None]:
    """Within ``acting_as_owner``: as root again, for the NPU's nodes and the user's own files."""
    if os.geteuid() == os.getuid():
        yield
        return
    user, group = os.geteuid(), os.getegid()
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    try:
        yield
    finally:
        os.setegid(group)
        os.seteuid(user)
