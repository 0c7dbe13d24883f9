"""Faults, one after the other, in a booted board: what each did is one line of /share/results.jsonl."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, "/opt/vm")

from board import (
    CAMERA,
    CONFIG,
    PROGRAM,
    UNIT,
    Watch,
    clean_up,
    configure,
    descriptors,
    drop_in,
    dropped,
    health,
    journal,
    load_cameras,
    lost_pairs,
    pid,
    press,
    restarts,
    rss_kb,
    say,
    sh,
    shown,
    start,
    stop,
    unbind,
    wait_for,
)

from roma_device.app.cameras import open_camera

Measured = dict[str, Any]
SHARE = Path("/share")
OPTIONS = json.loads((SHARE / "options.json").read_text())


def start_to_ready() -> Measured:
    """Install, cameras, first start; the service runs as its own user, without capabilities."""
    sh(f"{PROGRAM} service install")
    configure()
    drop_in("[Service]\nTimeoutStartSec=500\nWatchdogSec=20\n")
    say(sh(f"{PROGRAM} cameras"))
    seconds = start()
    status = Path(f"/proc/{pid()}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    user = sh(f"stat -c %U /proc/{pid()}")
    assert user == "roma-device", user
    assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"
    assert "READY" not in shown("StatusText") and "fps" in shown("StatusText"), shown("StatusText")
    metrics = sh("cat /run/roma-device/status.json")
    assert json.loads(metrics)["healthy"]
    doctor = sh(f"{PROGRAM} doctor", check=False)
    say(doctor)
    assert "FAIL" not in doctor
    score = sh(f"systemd-analyze security {UNIT} --no-pager | tail -1")
    return {"note": f"ready after {seconds:.1f} s; {score.split('for ')[-1]}", "recovered_s": seconds}


def writes_nowhere_else() -> Measured:
    """What the service's process can write, from inside of its own view of the file system."""
    script = "for d in / /etc /usr /var /home /opt /run /var/lib/roma-device /run/roma-device /tmp; do "
    script += 'touch "$d/.probe" 2>/dev/null && echo "$d" && rm "$d/.probe"; done; true'
    found = sh(f"nsenter -t {pid()} -m setpriv --reuid=roma-device --regid=roma-device --clear-groups sh -c '{script}'")
    places = set(found.split())
    assert places <= {"/var/lib/roma-device", "/run/roma-device", "/tmp"}, places
    return {"note": f"writable: {', '.join(sorted(places))} (/tmp is its own)"}


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
    """The driver lets both cameras go, nodes and all, and takes them again."""

    def unplug() -> None:
        unbind(True)
        time.sleep(4)
        assert not Path("/dev/video0").exists() and health() is not None and not health()["connected"]
        unbind(False)

    with clean_up(lambda: unbind(False)):
        return _comes_back(unplug)


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


def disk_full() -> Measured:
    """The recording's disk is full: the recording ends, the service does not; what was recorded can be replayed."""
    folder = Path("/var/lib/roma-device/small")
    folder.mkdir(exist_ok=True)
    sh(f"mount -t tmpfs -o size=110m,mode=0777 tmpfs {folder}")
    with clean_up(lambda: sh(f"umount -l {folder}"), configure, start):
        configure(record=str(folder))
        start()
        watch = Watch()
        wait_for("recording", lambda: health()["recording"]["pairs"] > 10)
        sh(f"fallocate -l 200m {folder}/ballast; dd if=/dev/zero of={folder}/ballast2 bs=64k 2>/dev/null", check=False)
        full = time.monotonic()
        wait_for("the recording's end", lambda: health()["recording"]["problem"])
        seen = time.monotonic() - full
        status, process = health(), pid()
        time.sleep(5)
        after = health()
        assert process == watch.pid == pid() and after["frames"] > status["frames"]
        stop()
        with open_camera(f"recording:{folder}") as camera:
            pairs = sum(1 for _ in camera.frames())
    assert pairs == status["recording"]["pairs"], (pairs, status)
    return {
        "detected_s": seen,
        "recovered_s": 0.0,
        "frames_lost": 0,
        "files_lost": 0,
        "note": f"{pairs} recorded pairs replayed",
    }


def clock_steps() -> Measured:
    """A day forth and two back: frames are timed by a clock that knows no date."""
    watch = Watch()
    with clean_up(lambda: sh(f"date -s @{now:.0f}")):
        now = time.time()
        for step_s in (86400, -2 * 86400, 86400):
            sh(f"date -s @{time.time() + step_s:.0f}")
            before = health()
            time.sleep(4)
            after = health()
            assert after["frames"] > before["frames"], (before, after)
            assert after["latency_ms"] < 20000 and after["healthy"]
    assert pid() == watch.pid and dropped(health()).get("timestamp", 0) == dropped(watch.before).get("timestamp", 0)
    return {"recovered_s": 0.0, "frames_lost": 0, "note": "three steps, none seen"}


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


SCENARIOS = [
    start_to_ready,
    writes_nowhere_else,
    drops_half_of_a_camera,
    damaged_buffer,
    fatal_streaming_error,
    disconnect,
    unplugged_for_4_s,
    killed_process,
    stopped_process,
    wrong_settings,
    clock_steps,
    npu_hangs,
    disk_full,
    unplugged_for_40_s,
    reload_settings,
    cameras_started_and_stopped,
    steady,
    camera_in_use,
    service_started_and_stopped,
]


def run(scenario: Callable[[], Measured]) -> None:
    name, begun = scenario.__name__, time.monotonic()
    say(f"--- {name}")
    try:
        if scenario is not start_to_ready:
            wait_for("a service that is well", lambda: (health() or {}).get("healthy"))
        result = {"passed": True, **scenario()}
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        say(
            sh(
                f"systemctl status {UNIT} --no-pager; journalctl -u {UNIT} -o short-monotonic --no-pager -n 40",
                check=False,
            )
        )
        result = {"passed": False, "note": f"{type(error).__name__}: {error}"[:300]}
    result = {"scenario": name, **result, "took_s": round(time.monotonic() - begun, 1)}
    say(json.dumps(result))
    with (SHARE / "results.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")


def main() -> None:
    load_cameras()
    chosen = OPTIONS.get("only")
    for scenario in SCENARIOS:
        if not chosen or scenario.__name__ in chosen or scenario is start_to_ready:
            run(scenario)


main()
