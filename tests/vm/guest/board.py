"""What scenarios do to the virtual board: its service, its cameras, and a look at how the service is doing."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNIT = "roma-device.service"
PROGRAM = "/opt/roma-device/bin/roma-device"
SHARE = Path("/share")  # with the host
CONFIG = Path("/etc/roma-device/config.yaml")
DROP_INS = Path(f"/etc/systemd/system/{UNIT}.d")
URL = "http://127.0.0.1:9470"
CAMERA_FPS = 5
CAMERA = f"v4l2:/dev/video0,/dev/video1?size=320x180&fps={CAMERA_FPS}&format=GREY&max_skew_ms=105&timeout_s=8&wait_s=60"
SETTINGS = {
    "camera": CAMERA,
    "rectified": True,
    "engine": "opencv",
    "threads": 1,
    "input_width": 64,
    "max_fps": 2,
    "monitor": {"listen": "127.0.0.1:9470", "status_file": "/run/roma-device/status.json"},
}
"""Small pictures, as everything is emulated on one processor. JSON is YAML too."""

OPTIONS: dict[str, Any] = json.loads((SHARE / "options.json").read_text())
Measured = dict[str, Any]  # what a scenario found, for the table


def sh(command: str, check: bool = True) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=600, check=False)
    if check and done.returncode:
        raise AssertionError(f"{command}: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def say(*words: object) -> None:
    print(f"[{time.monotonic():8.2f}]", *words, flush=True)


def configure(**changes: Any) -> None:
    """The service's settings, with changes to the usual ones."""
    CONFIG.write_text(json.dumps({**SETTINGS, **changes}, indent=1))


def drop_in(text: str, name: str = "test") -> None:
    """A part of the unit of our own; "" takes it away."""
    DROP_INS.mkdir(parents=True, exist_ok=True)
    (DROP_INS / f"{name}.conf").write_text(text)
    sh("systemctl daemon-reload")


def shown(name: str) -> str:
    return sh(f"systemctl show {UNIT} --property={name} --value")


def pid() -> int:
    return int(shown("MainPID"))


def restarts() -> int:
    return int(shown("NRestarts"))


def start() -> float:
    """Start the service and wait until it is ready; seconds."""
    sh(f"systemctl reset-failed {UNIT}", check=False)
    begun = time.monotonic()
    sh(f"systemctl restart {UNIT}")
    return time.monotonic() - begun


def stop() -> float:
    begun = time.monotonic()
    sh(f"systemctl stop {UNIT}")
    return time.monotonic() - begun


def health() -> dict[str, Any] | None:
    """What /healthz says, None where nobody answers."""
    try:
        with urllib.request.urlopen(f"{URL}/healthz", timeout=10) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))
    except (OSError, ValueError):
        return None


def journal(since_s: float) -> str:
    """Messages of the service of the last seconds since the monotonic time ``since_s``."""
    seconds = int(time.monotonic() - since_s) + 1
    return sh(f"journalctl -u {UNIT} -o cat --no-pager --since=-{seconds}s")


def wait_for(what: str, condition: Callable[[], Any], limit_s: float = 400.0) -> float:
    """Seconds until ``condition`` holds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit_s:
            raise AssertionError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.4)
    return time.monotonic() - begun


class Watch:
    """Follows the service from the moment when something is done to it."""

    def __init__(self) -> None:
        self.before = health() or {}
        self.pid, self.restarts = pid(), restarts()
        self.begun = time.monotonic()

    def detected(self, sign: Callable[[dict[str, Any]], bool], limit_s: float = 200.0) -> float:
        """Seconds until the service itself knows (``sign`` of its status), or is gone."""

        def known() -> bool:
            status = health()
            return status is None or sign(status) or pid() != self.pid

        wait_for("detected", known, limit_s)
        return time.monotonic() - self.begun

    def recovered(self, limit_s: float = 600.0) -> float:
        """Seconds until results come again: three more than when this is asked, of the same process."""
        at_first = health()

        def again() -> bool:
            nonlocal at_first
            status = health()
            if status is None or not status["connected"]:
                at_first = None
                return False
            if at_first is None or status["frames"] < at_first["frames"]:
                at_first = status
            return status["frames"] >= at_first["frames"] + 2 and status["last_frame_age_s"] < 4

        wait_for("recovered", again, limit_s)
        return time.monotonic() - self.begun


def lost_pairs(seconds: float) -> int:
    """What the cameras would have given in that time."""
    return round(seconds * CAMERA_FPS)


def dropped(status: dict[str, Any]) -> dict[str, int]:
    """Without those that were overwritten because max_fps asked for fewer."""
    return {reason: count for reason, count in status["dropped"].items() if count and reason != "overwritten"}


@contextmanager
def clean_up(*actions: Callable[[], object]) -> Any:
    try:
        yield
    finally:
        for action in actions:
            with suppress(Exception):
                action()


def rss_kb(process: int) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


def descriptors(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
