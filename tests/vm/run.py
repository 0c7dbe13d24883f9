"""Boots the virtual board and lets it go through the scenarios, as root: ``make vm-test``, docs/reliability.md.

The image is built anew unless ``--image`` names a folder with one. qemu emulates one arm64 processor: how long things
take in there says little, what happens and in which order says much.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "modprobe": "kmod",
    "cpio": "cpio",
    "systemctl": "systemd",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
}
"""Program -> Debian packages that bring it."""

RECORD_S = 30.0
"""How long it records and saves before its power goes."""

BOOT_LIMIT_S = 600.0


def install_tools() -> None:
    missing = " ".join(packages for tool, packages in TOOLS.items() if shutil.which(tool) is None).split()
    if not missing:
        return
    print("installing", *missing, flush=True)
    subprocess.run(["apt-get", "-qq", "update"], check=True)
    command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Board:
    """A booted machine with a folder in common; powered off, or cut off, when its time is over."""

    def __init__(self, image: Path, disk: Path, share: Path, *, keep_changes: bool = False) -> None:
        self._log = (share / "console.log").open("ab")
        snapshot = "off" if keep_changes else "on"
        self._process = subprocess.Popen(
            [
                *("nice", "-n", "5", "qemu-system-aarch64", "-accel", "tcg,thread=multi", "-M", "virt"),
                *("-cpu", "cortex-a72", "-m", "1536", "-smp", "1", "-display", "none", "-nodefaults"),
                *("-serial", "stdio", "-no-reboot", "-nic", "none", "-device", "virtio-rng-pci"),
                *("-drive", f"file={disk},format=raw,if=virtio,snapshot={snapshot}"),
                *("-fsdev", f"local,id=share,path={share},security_model=none"),
                *("-device", "virtio-9p-pci,fsdev=share,mount_tag=share"),
                *("-kernel", str(image / "kernel"), "-initrd", str(image / "initrd")),
                *("-append", "console=ttyAMA0 quiet"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def wait_for_end(self, limit_s: float) -> bool:
        """False where it had to be cut off."""
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.cut_power()
            return False
        return True

    def is_on(self) -> bool:
        return self._process.poll() is None

    def cut_power(self) -> None:
        """What the disk has not got by now, it will never get."""
        self._process.kill()
        self._process.wait()


def instruct(share: Path, program: str, **options: Any) -> None:
    (share / "program").write_text(program)
    (share / "options.json").write_text(json.dumps(options))


def run_scenarios(image: Path, share: Path, arguments: argparse.Namespace) -> None:
    instruct(
        share,
        "scenarios.py",
        steady_s=arguments.steady_s,
        cycles=arguments.cycles,
        service_cycles=arguments.service_cycles,
        only=arguments.only,
        watchdog_s=arguments.watchdog_s,
    )
    limit_s = 3600 + arguments.steady_s + 5 * arguments.cycles + 120 * arguments.service_cycles
    if not Board(image, image / "root.img", share).wait_for_end(limit_s):
        report(share, {"scenario": "all", "passed": False, "note": f"did not end within {limit_s:.0f} s"})


def run_power_cut(image: Path, share: Path) -> None:
    """Cut the power while it records and saves, and boot again from the same disk."""
    disk = share.parent / "disk.img"
    subprocess.run(["cp", "--sparse=always", image / "root.img", disk], check=True)
    progress = share / "progress"
    progress.unlink(missing_ok=True)
    instruct(share, "power.py", power="before")
    board = Board(image, disk, share, keep_changes=True)
    deadline_s = time.monotonic() + BOOT_LIMIT_S
    while board.is_on() and not progress.exists() and time.monotonic() < deadline_s:
        time.sleep(0.2)
    time.sleep(RECORD_S if progress.exists() else 0)
    board.cut_power()
    instruct(share, "power.py", power="after")
    ended = Board(image, disk, share, keep_changes=True).wait_for_end(BOOT_LIMIT_S)
    if not ended or "power_cut" not in (share / "results.jsonl").read_text():
        report(share, {"scenario": "power_cut", "passed": False, "note": "no answer after the cut"})
    disk.unlink()


def report(share: Path, result: dict[str, Any]) -> None:
    with (share / "results.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")


def as_table(results: list[dict[str, Any]]) -> str:
    """Markdown, as docs/reliability.md has it."""
    keys = ("detected_s", "recovered_s", "frames_lost", "files_lost")
    lines = ["| fault | | detected, s | recovered, s | pairs lost | files lost | |", "|---|---|---|---|---|---|---|"]
    for result in results:
        cells = [_cell(result.get(key)) for key in keys]
        passed = "ok" if result["passed"] else "FAILED"
        name = result["scenario"].replace("_", " ")
        lines.append(f"| {name} | {passed} | {' | '.join(cells)} | {result.get('note', '')} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, help="folder of an image that build.sh made")
    parser.add_argument("--share", type=Path, help="folder for logs and results  [a temporary one]")
    parser.add_argument("--only", nargs="*", help="names of scenarios, and power_cut")
    parser.add_argument("--steady-s", type=int, default=600, help="how long nothing is done to it")
    parser.add_argument("--cycles", type=int, default=200, help="how often cameras are opened and closed")
    parser.add_argument("--service-cycles", type=int, default=20, help="how often the service starts and stops")
    parser.add_argument("--watchdog-s", type=int, default=20, help="of the service; more on a busy machine")
    arguments = parser.parse_args()
    install_tools()
    with tempfile.TemporaryDirectory(prefix="roma-vm-") as temporary:
        image = arguments.image or Path(temporary, "image")
        share = arguments.share or Path(temporary, "share")
        share.mkdir(parents=True, exist_ok=True)
        for name in ("results.jsonl", "guest.log", "console.log"):
            (share / name).write_text("")
        if arguments.image is None:
            subprocess.run([HERE / "build.sh", image], check=True)
        if arguments.only != ["power_cut"]:
            run_scenarios(image, share, arguments)
        if not arguments.only or "power_cut" in arguments.only:
            run_power_cut(image, share)
        results = [json.loads(line) for line in (share / "results.jsonl").read_text().splitlines()]
        print(as_table(results))
        if not all(result["passed"] for result in results):
            print((share / "guest.log").read_text(), file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
