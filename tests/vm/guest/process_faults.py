"""What may happen to the process, to its settings and to the NPU that it uses."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from board import (
    CONFIG,
    UNIT,
    Measured,
    Watch,
    clean_up,
    configure,
    drop_in,
    health,
    journal,
    lost_pairs,
    pid,
    restarts,
    sh,
    shown,
    start,
    wait_for,
)


def _restarted(fault: Callable[[], object], limit_s: float = 400) -> Measured:
    """systemd starts a new process."""
    watch = Watch()
    fault()
    wait_for("a new process", lambda: restarts() > watch.restarts, limit_s)
    seen = time.monotonic() - watch.begun
    back = watch.recovered()
    assert restarts() == watch.restarts + 1
    return {"detected_s": seen, "recovered_s": back, "frames_lost": lost_pairs(back), "note": "1 restart"}


def stopped_process() -> Measured:
    """SIGSTOP: only the watchdog can know."""
    measured = _restarted(lambda: os.kill(pid(), signal.SIGSTOP))
    assert "atchdog" in sh(f"journalctl -u {UNIT} -o cat --no-pager -n 40")
    return measured


def killed_process() -> Measured:
    return _restarted(lambda: os.kill(pid(), signal.SIGKILL))


def wrong_settings() -> Measured:
    """A typing error: one sentence, exit code 78, no second try."""
    begun = time.monotonic()
    with clean_up(configure, start):
        configure(framse=3)
        sh(f"systemctl restart {UNIT}", check=False)
        wait_for("failed", lambda: shown("ActiveState") == "failed", 300)
        seen = time.monotonic() - begun
        time.sleep(12)
        assert shown("ActiveState") == "failed" and restarts() == 0
        assert shown("ExecMainStatus") == "78"
        text = journal(begun)
        assert "framse: unknown key; did you mean frames?" in text and "Traceback" not in text, text
    return {"detected_s": seen, "note": "exit code 78, no restart; the sentence names file, line and key"}


def reload_settings() -> Measured:
    """SIGHUP: max_fps changes within the same process; what needs a restart is named; nonsense changes nothing."""
    begun, process = time.monotonic(), pid()
    with clean_up(configure):
        configure(max_fps=1, input_width=96)
        sh(f"systemctl reload {UNIT}")
        wait_for("reloaded", lambda: "max_fps changes" in journal(begun))
        seen = time.monotonic() - begun
        assert "input_width needs a restart" in journal(begun)
        time.sleep(4)
        first = health()["frames"]
        time.sleep(10)
        rate = (health()["frames"] - first) / 10
        assert 0.1 < rate < 1.5, rate
        CONFIG.write_text("depth: {min_m: 9, max_m: 3}\n")
        sh(f"systemctl reload {UNIT}")
        wait_for("refused", lambda: "settings stay as they are" in journal(begun))
    sh(f"systemctl reload {UNIT}")
    time.sleep(2)
    assert pid() == process and shown("ActiveState") == "active"
    return {"detected_s": seen, "recovered_s": seen, "note": f"{rate:.1f} fps after max_fps: 1"}


def npu_hangs() -> Measured:
    """The stand-in for the NPU's libraries as the engine: a run that never ends, and a new process."""
    bundle = "/opt/vm/bundle"
    program = "ExecStart=\nExecStart=/opt/roma-device/bin/python /opt/vm/npu_app.py -v run"
    program += f" --config {CONFIG}"
    with clean_up(lambda: drop_in("", "npu"), configure, start):
        drop_in(f"[Service]\nEnvironment=ROMA_AX_LIB_DIR=/opt/vm/standin\n{program}\n", "npu")
        configure(engine="ax", model=bundle, npu={"run_limit_s": 3.0})
        start()
        wait_for("frames", lambda: (health() or {"frames": 0})["frames"] > 5)
        begun = time.monotonic()
        measured = _restarted(lambda: Path("/run/roma-device/hang").touch())
        assert "NPU did not answer within 3 s" in journal(begun)
    return measured
