"""What an engine's rights are worth: with those of ``service install`` it starts, without one of them it says which.

The vendors' libraries are stand-ins that open the nodes which the genuine ones open; the nodes are of ``nodes.py``, and
``/dev/mem`` is the kernel's own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from board import (
    CAMERA,
    CONFIG,
    DROP_INS,
    PROGRAM,
    UNIT,
    Measured,
    clean_up,
    configure,
    drop_in,
    health,
    journal,
    pid,
    say,
    sh,
    start,
    stop,
    wait_for,
)

NODES = {
    "ax": ("ax_sys", "ax_cmm"),
    "axcl": ("axcl_host", "msg_userdev", "p2p", "ax_pcie_dma_transfer", "ax_mmb_dev"),
}
LIBRARIES = {"ax": "libax_sys.so", "axcl": "libaxcl_rt.so"}
NO_CAPABILITY = "[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n"


def rights_of_ax() -> Measured:
    with _npu("ax"):
        measured = _starts("ax")
        _refused("CAP_SYS_RAWIO is missing", NO_CAPABILITY)
        with _without("DeviceAllow=/dev/mem rw"):
            _refused("/dev/mem (DeviceAllow=/dev/mem is missing)")
        with _without("DeviceAllow=/dev/ax_cmm rw"):
            _refused("/dev/ax_cmm (DeviceAllow=/dev/ax_cmm is missing)")
        _refused_without_group("ax")
        sh(f"{PROGRAM} service install --engine host")
        _refused("DeviceAllow=/dev/ax_sys is missing", "", "CAP_SYS_RAWIO is missing", "service install --engine ax`")
        _doctor_names("ax", "CAP_SYS_RAWIO is missing")
    return measured


def rights_of_axcl() -> Measured:
    with _npu("axcl"):
        measured = _starts("axcl")
        with _without("DeviceAllow=/dev/msg_userdev rw"):
            _refused("/dev/msg_userdev (DeviceAllow=/dev/msg_userdev is missing)")
        _refused_without_group("axcl")
        sh("chown root:root /dev/axcl_host")
        _refused("/dev/axcl_host (no udev rule gave it to the group npu)")
        sh(f"{PROGRAM} service install --engine host")
        _refused("DeviceAllow=/dev/p2p is missing", "", "service install --engine axcl`")
    return measured


def rights_of_host() -> Measured:
    """Cameras are all that it may use."""
    with clean_up(configure, start):
        sh(f"{PROGRAM} service install --engine host")
        configure(camera=CAMERA.replace("wait_s=60", "wait_s=5"))
        measured = _starts("host")
        sentence = "no permission to use /dev/video0: the service's unit has to allow it (DeviceAllow=)"
        _refused(sentence, "[Service]\nDeviceAllow=\n")
    return measured


@contextmanager
def _npu(engine: str) -> Iterator[None]:
    """Nodes, libraries and settings of a machine with that NPU, and the service installed for it."""
    sh("modprobe cuse")
    stop()
    nodes = subprocess.Popen([sys.executable, str(Path(__file__).with_name("nodes.py")), *NODES[engine]])
    program = f"ExecStart=\nExecStart=/opt/roma-device/bin/python /opt/vm/npu_app.py -v run --config {CONFIG}"
    # The NPU's own network runs on this program's host engine, within the stand-in.
    environment = f"ROMA_AX_LIB_DIR=/opt/vm/standin ROMA_STANDIN_NODES=1 ROMA_VM_LIBRARY={LIBRARIES[engine]}"
    back = (lambda: sh(f"{PROGRAM} service install --engine host"), nodes.kill, nodes.wait, configure, start)
    with clean_up(lambda: drop_in("", "app"), *back):
        wait_for("nodes", lambda: all(Path("/dev", name).exists() for name in NODES[engine]), 60)
        say(sh(f"{PROGRAM} service install"))  # it finds the NPU by itself
        sh("udevadm settle")
        say(sh(f"ls -l {' '.join(f'/dev/{name}' for name in NODES[engine])} /dev/mem"))
        drop_in(f"[Service]\nEnvironment={environment}\n{program}\n", "app")
        configure(engine=engine, model="/opt/vm/bundle")
        yield


def _starts(engine: str) -> Measured:
    """It gives depth with the rights that it was granted, and the unit's exposure with these."""
    seconds = start()
    wait_for("frames", lambda: (health() or {"frames": 0})["frames"] > 3)
    assert sh(f"stat -c %U /proc/{pid()}") == "roma-device"
    exposure = sh(f"systemd-analyze security {UNIT} --no-pager | tail -1").split("for ")[-1]
    said = sh(f"journalctl -u {UNIT} -o cat --no-pager -n 40")
    assert engine == "host" or engine in said, said
    return {"recovered_s": seconds, "note": exposure}


def _refused(sentence: str, unit: str = "", *more: str) -> None:
    """With that drop-in it does not start, and the journal has the sentence."""
    begun = time.monotonic()
    with clean_up(lambda: drop_in("", "zz-right"), stop):
        drop_in(unit, "zz-right")
        sh(f"systemctl reset-failed {UNIT}; systemctl restart {UNIT}", check=False)
        # Not by the unit's state: systemd starts it anew after 5 s, which a slow machine may not see.
        words = ("status=69", sentence, *more)
        with clean_up(lambda: say(journal(begun))):
            wait_for(f"an end by {sentence!r}", lambda: all(each in journal(begun) for each in words), 300)
        text = journal(begun)
    assert "Traceback" not in text, text


@contextmanager
def _without(line: str) -> Iterator[None]:
    """The engine's drop-in without one of its lines."""
    path = DROP_INS / "npu.conf"
    text = path.read_text()
    assert f"{line}\n" in text, text
    path.write_text(text.replace(f"{line}\n", ""))
    try:
        yield
    finally:
        path.write_text(text)
        sh("systemctl daemon-reload")


def _refused_without_group(engine: str) -> None:
    """The user is in no group that has the nodes."""
    sh("gpasswd -d roma-device npu")
    with clean_up(lambda: sh("gpasswd -a roma-device npu")):
        _refused("(the group npu is missing)", "[Service]\nSupplementaryGroups=\nSupplementaryGroups=video\n")


def _doctor_names(engine: str, words: str) -> None:
    """As the service's user, without the service's rights."""
    user = "setpriv --reuid=roma-device --regid=roma-device --init-groups env ROMA_STANDIN_NODES=1"
    said = sh(f"{user} ROMA_AX_LIB_DIR=/opt/vm/standin {PROGRAM} doctor --json", check=False)
    say(said)
    findings = [each for each in json.loads(said) if each["name"] == "npu"]
    assert [each["level"] for each in findings] == ["fail"] and words in findings[0]["text"], findings
    assert f"{engine}: " in findings[0]["text"], findings
