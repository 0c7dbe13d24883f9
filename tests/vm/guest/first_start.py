"""Installation, the first start, and what the service may do."""

from __future__ import annotations

import json
from pathlib import Path

from board import OPTIONS, PROGRAM, UNIT, Measured, configure, drop_in, pid, say, sh, shown, start, wait_for


def start_to_ready() -> Measured:
    """Install, cameras, first start; the service runs as its own user, without capabilities."""
    sh(f"{PROGRAM} service install")
    configure()
    drop_in(f"[Service]\nTimeoutStartSec=500\nWatchdogSec={OPTIONS['watchdog_s']}\n")
    say(sh(f"{PROGRAM} cameras"))
    seconds = start()
    status = Path(f"/proc/{pid()}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    user = sh(f"stat -c %U /proc/{pid()}")
    assert user == "roma-device", user
    assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"
    assert "READY" not in shown("StatusText") and "fps" in shown("StatusText"), shown("StatusText")
    status_file = Path("/run/roma-device/status.json")
    wait_for(
        "a status file that says healthy",
        lambda: status_file.exists() and json.loads(status_file.read_text())["healthy"],
    )
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
