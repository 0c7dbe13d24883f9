"""Where the program keeps what it must not forget: the service's state folder, or the user's."""

from __future__ import annotations

import os
from pathlib import Path

SERVICE_STATE = Path("/var/lib/roma-device")
SERVICE_UNIT = Path("/etc/systemd/system/roma-device.service")


def state_folder() -> Path:
    """systemd's state folder; for root on a machine with the service that of the service; else the user's (XDG)."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    if not home and os.geteuid() == 0 and (SERVICE_UNIT.exists() or SERVICE_STATE.is_dir()):
        return SERVICE_STATE
    return Path(home or Path.home() / ".local" / "state") / "roma-device"
