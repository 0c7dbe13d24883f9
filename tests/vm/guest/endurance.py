"""Nothing happens, for long; starts and stops, often."""

from __future__ import annotations

import os
import time

from board import (
    CAMERA,
    OPTIONS,
    Measured,
    clean_up,
    descriptors,
    dropped,
    health,
    pid,
    restarts,
    rss_kb,
    say,
    shown,
    start,
    stop,
)

from roma_device.app.cameras import open_camera


def steady() -> Measured:
    """Nothing is done to it; memory and descriptors stay, no frame is dropped for any fault."""
    seconds = OPTIONS["steady_s"]
    time.sleep(5)
    before, process = health(), pid()
    memory, files = rss_kb(process), descriptors(process)
    time.sleep(seconds)
    after = health()
    assert before and after and pid() == process and restarts() == 0
    frames = after["frames"] - before["frames"]
    drops = {key: value - dropped(before).get(key, 0) for key, value in dropped(after).items()}
    drops = {key: value for key, value in drops.items() if value}
    pairs = after["pairs"] - before["pairs"]
    assert descriptors(process) == files and frames > seconds / 4
    assert set(drops) <= {"unpaired", "stale"} and sum(drops.values()) <= 0.1 * pairs, drops
    growth_kb = rss_kb(process) - memory
    assert growth_kb < 4096, growth_kb
    return {
        "note": f"{seconds} s: {frames} frames, {pairs} pairs, RSS {growth_kb:+d} KB, {files} descriptors, "
        f"dropped {drops or 'none'}",
        "frames_lost": sum(drops.values()),
    }


def cameras_started_and_stopped() -> Measured:
    """Opened, first pair, closed, again and again in one process."""
    stop()
    files = descriptors(os.getpid())
    cycles, begun = OPTIONS["cycles"], time.monotonic()
    with clean_up(start):
        for _ in range(cycles):
            with open_camera(CAMERA) as camera:
                frame = next(iter(camera.frames()))
                assert frame.size == (320, 180)
        assert descriptors(os.getpid()) == files
    seconds = (time.monotonic() - begun) / cycles
    return {"note": f"{cycles} cycles, {seconds:.2f} s each", "frames_lost": 0}


def service_started_and_stopped() -> Measured:
    cycles = OPTIONS["service_cycles"]
    ready, ended = [], []
    for number in range(cycles):
        ready.append(start())
        ended.append(stop())
        assert shown("Result") == "success", (number, shown("Result"))
        if number % 20 == 19:
            say(f"{number + 1} cycles")
    start()
    ready.sort(), ended.sort()
    text = f"{cycles} cycles; ready after {ready[cycles // 2]:.1f} s (most {ready[-1]:.1f}), "
    text += f"stopped within {ended[cycles // 2]:.2f} s (most {ended[-1]:.2f})"
    assert ended[-1] < 10
    return {"note": text, "frames_lost": 0}
