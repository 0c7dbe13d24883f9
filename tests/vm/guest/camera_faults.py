"""What may happen to cameras."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from board import CAMERA, PROGRAM, Measured, Watch, clean_up, health, journal, lost_pairs, pid, restarts, sh
from vivid import press, unbind


def camera_in_use() -> Measured:
    """Somebody else has the camera: a sentence that says so, and exit code 69."""
    watch = Watch()
    text = sh(f"{PROGRAM} run --rectified --frames 1 --camera '{CAMERA.partition('&wait_s')[0]}' 2>&1; echo code $?")
    assert "in use by another program" in text and "code 69" in text, text
    missing = sh(f"{PROGRAM} run --rectified --frames 1 --camera v4l2:/dev/video0,/dev/video7 2>&1; echo code $?")
    assert "does not exist" in missing and "code 66" in missing, missing
    twice = sh(f"{PROGRAM} run --rectified --frames 1 --camera v4l2:/dev/video0,/dev/video0 2>&1; echo code $?")
    assert "same device" in twice and "code 64" in twice, twice
    closed = sh(
        f"setpriv --reuid=nobody --regid=nogroup --clear-groups {PROGRAM} run --rectified --frames 1 "
        "--camera v4l2:/dev/video0,/dev/video1 2>&1; echo code $?"
    )
    assert "no permission" in closed and "code 77" in closed, closed
    return {"note": "in use 69, missing 66, twice 64, no permission 77", "detected_s": time.monotonic() - watch.begun}


def drops_half_of_a_camera() -> Measured:
    """One camera loses half of its buffers: what has no partner is dropped and counted, the rest goes on."""
    watch = Watch()
    before = health()
    with clean_up(lambda: press("Percentage of Dropped Buffers", 0)):
        press("Percentage of Dropped Buffers", 50)
        lost = before["dropped"]["unpaired"]
        seen = watch.detected(lambda now: now["dropped"]["unpaired"] > lost)
        time.sleep(15)
        after = health()
    assert after["frames"] > before["frames"] and after["reconnects"] == before["reconnects"]
    assert pid() == watch.pid
    return {
        "detected_s": seen,
        "recovered_s": 0.0,
        "frames_lost": after["dropped"]["unpaired"] - lost,
        "note": "goes on",
    }


def damaged_buffer() -> Measured:
    watch = Watch()
    lost = watch.before["dropped"]["damaged"]
    press("Inject V4L2_BUF_FLAG_ERROR")
    seen = watch.detected(lambda now: now["dropped"]["damaged"] > lost)
    back = watch.recovered()
    assert pid() == watch.pid
    return {"detected_s": seen, "recovered_s": back, "frames_lost": health()["dropped"]["damaged"] - lost}


def _comes_back(fault: Callable[[], object]) -> Measured:
    """The cameras break: the same process gets them back."""
    watch = Watch()
    count = watch.before["reconnects"]
    fault()
    seen = watch.detected(lambda now: not now["connected"] or now["reconnects"] > count)
    back = watch.recovered()
    assert pid() == watch.pid, "it was restarted"
    assert health()["reconnects"] == count + 1
    return {"detected_s": seen, "recovered_s": back, "frames_lost": lost_pairs(back)}


def fatal_streaming_error() -> Measured:
    return _comes_back(lambda: press("Inject Fatal Streaming Error"))


def disconnect() -> Measured:
    return _comes_back(lambda: press("Disconnect"))


def unplugged_for_4_s() -> Measured:
    """The driver lets both cameras go, nodes and all, and takes them again; the same process goes on."""
    watch = Watch()
    with clean_up(lambda: unbind(False)):
        unbind(True)
        seen = watch.detected(lambda now: not now["connected"])
        time.sleep(max(0.0, 4 - (time.monotonic() - watch.begun)))
        assert not Path("/dev/video0").exists()
        unbind(False)
        back = watch.recovered()
    assert pid() == watch.pid and health()["reconnects"] == watch.before["reconnects"] + 1
    return {"detected_s": seen, "recovered_s": back, "frames_lost": lost_pairs(back)}


def unplugged_for_40_s() -> Measured:
    """Longer than the program tries: it ends with a sentence, systemd starts it anew, it waits and goes on."""
    watch = Watch()
    with clean_up(lambda: unbind(False)):
        unbind(True)
        seen = watch.detected(lambda now: not now["connected"])
        time.sleep(max(0.0, 40 - (time.monotonic() - watch.begun)))
        assert restarts() > watch.restarts, "it should have given up after 20 s"
        unbind(False)
        back = watch.recovered()
    text = journal(watch.begun)
    assert "does not exist" in text and "Traceback" not in text, text
    return {
        "detected_s": seen,
        "recovered_s": back,
        "frames_lost": lost_pairs(back),
        "note": f"{restarts() - watch.restarts} restart",
    }
