"""What may happen to the machine: its disk and its clock."""

from __future__ import annotations

import time
from pathlib import Path

from board import Measured, Watch, clean_up, configure, dropped, health, pid, sh, start, stop, wait_for

from roma_device.app.cameras import open_camera


def disk_full() -> Measured:
    """The recording's disk is full: told, and it goes on when there is room; what was recorded can be replayed."""
    folder = Path("/var/lib/roma-device/small")
    folder.mkdir(exist_ok=True)
    sh(f"mount -t tmpfs -o size=110m,mode=0777 tmpfs {folder}")
    with clean_up(lambda: sh(f"umount -l {folder}"), configure, start):
        configure(record=str(folder))
        start()
        watch = Watch()
        wait_for("recording", lambda: health()["recording"]["written"] > 10)
        sh(f"fallocate -l 200m {folder}/ballast; dd if=/dev/zero of={folder}/ballast2 bs=64k 2>/dev/null", check=False)
        full = time.monotonic()
        wait_for("an unhealthy service", lambda: "recording" in health()["problems"])
        seen = time.monotonic() - full
        status = health()
        wait_for("further frames", lambda: (health() or {"frames": 0})["frames"] > status["frames"] + 1, 60)
        sh(f"rm {folder}/ballast*", check=False)
        room = time.monotonic()
        wait_for("the recording again", lambda: health()["healthy"] and _written() > status["recording"]["written"])
        back = time.monotonic() - room
        written = _written()
        assert pid() == watch.pid
        stop()
        with open_camera(f"recording:{folder}") as camera:
            pairs = sum(1 for _ in camera.frames())
    assert pairs >= written, (pairs, written)
    return {
        "detected_s": seen,
        "recovered_s": back,
        "files_lost": 0,
        "note": f"same process, frames go on; {pairs} recorded pairs replayed, of before and after",
    }


def _written() -> int:
    return int(health()["recording"]["written"])


def clock_steps() -> Measured:
    """A day forth and two back: frames are timed by a clock that knows no date."""
    watch = Watch()
    with clean_up(lambda: sh(f"date -s @{now:.0f}")):
        now = time.time()
        for step_s in (86400, -2 * 86400, 86400):
            sh(f"date -s @{time.time() + step_s:.0f}")
            frames = health()["frames"]
            wait_for("further frames", lambda frames=frames: (health() or {"frames": 0})["frames"] > frames + 1, 60)
            after = health()
            assert after["latency_ms"] < 20000 and after["healthy"], after
    assert pid() == watch.pid and dropped(health()).get("timestamp", 0) == dropped(watch.before).get("timestamp", 0)
    return {"recovered_s": 0.0, "frames_lost": 0, "note": "three steps, none seen"}
