"""Puts the faults of faults.yaml into a copy of the repository, one by one, and counts those that tests notice.

python tests/mutation/run.py              # all; needs what `make .venv/ready-test` installs
python tests/mutation/run.py app/service  # those in files whose name begins so
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("faults.yaml")
LIMIT_S = 600
NOTHING_FAILED, TESTS_FAILED = 0, 1


@dataclass(frozen=True)
class Fault:
    """One change of one place, and the tests nearest to it."""

    file: str
    old: str
    new: str
    tests: str

    def put_into(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {self.old!r} stands there {text.count(self.old)} times: mend faults.yaml")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def read_faults() -> list[Fault]:
    return [Fault(**each) for each in yaml.safe_load(LIST.read_text(encoding="utf-8"))]


def copied(parent: Path) -> Path:
    """The files that git knows, as they are now."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (ROOT / name).is_file():
            (parent / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, parent / name)
    subprocess.run(["make", "-s", "typing"], cwd=parent, check=True)
    return parent


def is_noticed(fault: Fault, root: Path) -> bool:
    """Whether the tests fail; a test that never ends has noticed too."""
    environment = {**os.environ, "PYTHONPATH": str(root / "build/typing"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *fault.tests.split()]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != NOTHING_FAILED


def main() -> int:
    wanted = tuple(sys.argv[1:]) or ("",)
    faults, missed = [fault for fault in read_faults() if fault.file.startswith(wanted)], []
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder))
        for fault in faults:
            whole, begun_s = (root / fault.file).read_bytes(), time.monotonic()
            fault.put_into(root)
            noticed = is_noticed(fault, root)
            (root / fault.file).write_bytes(whole)
            words = "noticed" if noticed else "NOT NOTICED"
            print(f"{words:<12}{time.monotonic() - begun_s:6.1f} s  {fault.file}: {fault.old!r}", flush=True)
            missed += [] if noticed else [fault]
    print(f"{len(faults) - len(missed)} of {len(faults)} faults were noticed")
    return TESTS_FAILED if missed else NOTHING_FAILED


if __name__ == "__main__":
    sys.exit(main())
