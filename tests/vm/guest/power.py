"""Before and after a power cut: records and saves calibrations until the power goes, then looks at what is left."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, "/opt/vm")

from board import PROGRAM, configure, drop_in, health, say, sh, start, wait_for
from vivid import load_cameras

from roma_device.app.cameras import open_camera
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.formats.own import save_calibration

SHARE = Path("/share")
STATE = Path("/var/lib/roma-device")
CALIBRATION = STATE / "calibration.yaml"


def before() -> None:
    load_cameras()
    sh(f"{PROGRAM} service install")
    configure(record=str(STATE / "recordings"))
    drop_in("[Service]\nTimeoutStartSec=500\n")
    start()
    wait_for("recording", lambda: health()["recording"]["written"] > 20)
    with open_camera("simulated:room?frames=1&size=96x64") as camera:
        calibration = camera.calibration
    assert calibration is not None
    progress = os.open(SHARE / "progress", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    while True:  # until the power goes
        number += 1
        save_calibration(CALIBRATION, dataclasses.replace(calibration, serial=str(number)))
        os.write(progress, json.dumps({"monotonic_ns": time.monotonic_ns(), "saved": number}).encode() + b"\n")


def after() -> None:
    last = json.loads((SHARE / "progress").read_text().splitlines()[-1])
    saved = int(load_calibration(CALIBRATION).serial)
    strays = [path.name for path in STATE.rglob(".roma-*")]
    with open_camera(f"recording:{STATE / 'recordings'}") as camera:
        stamps = [frame.timestamp_ns for frame in camera.frames()]
    lost_s = (last["monotonic_ns"] - stamps[-1]) / 1e9
    result = {
        "scenario": "power_cut",
        "passed": lost_s <= 1.0 and saved >= last["saved"],
        "frames_lost": max(0, round(lost_s * 5)),
        "files_lost": 0 if saved >= last["saved"] else 1,
        "note": f"{len(stamps)} pairs replayed, the last {lost_s:.2f} s before the cut; calibration {saved}, "
        f"{last['saved']} were reported as saved; stray files: {len(strays)}",
    }
    say(json.dumps(result))
    with (SHARE / "results.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")


{"before": before, "after": after}[json.loads((SHARE / "options.json").read_text())["power"]]()
