"""A batch under faults: every output once, equal to a sequential run; what is lost, and how long it takes to go on.

    python -m bench.batch.faults --folder FOLDER [--count 180]

Two workers of a real scheduler on loopback; one recording is poisoned. At a sixth of the items a worker is killed, at a
third one is stopped, at half the client is killed; the same command then goes on. A third batch meets a disk that fills
up (a tmpfs of its own, where this may be mounted). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distributed import Client

from .cluster import scheduler, worker_processes, workers
from .recordings import make_recordings, poison

OPTIONS = ("--input-width", "64", "--passes", "0", "--engine", "opencv", "--save", "depth,disparity,results", "--json")
WAIT_S = 0.1
MIB_FOR_60 = 24
"""On the small disk: enough for the results of so many items."""


class Batch:
    """``roma-device batch`` as a process."""

    def __init__(self, inputs: list[Path], output: Path, on: str, log: Path) -> None:
        command = [sys.executable, "-m", "roma_device.app.cli", "-v", "batch", *map(str, inputs)]
        self.output, self.log = output, log
        self.started_s = time.monotonic()
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*command, "--output", str(output), "--on", on, *OPTIONS], stdout=file, stderr=subprocess.STDOUT
            )

    def done(self) -> int:
        return len(list(self.output.glob("items/*/done.json")))

    def wait_for(self, condition: Callable[[], bool]) -> float:
        """Seconds until it holds."""
        start_s = time.monotonic()
        while not condition():
            if self.process.poll() is not None:
                raise SystemExit(f"the batch ended early with {self.process.returncode}: see {self.log}")
            time.sleep(WAIT_S)
        return time.monotonic() - start_s

    def end(self) -> int:
        return self.process.wait()


def contents(output: Path) -> dict[str, str]:
    """``content_sha256`` by item."""
    paths = output.glob("items/*/done.json")
    return {path.parent.name: json.loads(path.read_text())["content_sha256"] for path in paths}


def files(output: Path) -> dict[str, dict[str, str]]:
    """sha256 of the files of each item, those apart that hold times."""
    records = {path.parent.name: json.loads(path.read_text()) for path in output.glob("items/*/done.json")}
    return {
        name: {file: digest for file, digest in record["sha256"].items() if not file.endswith(".jsonl")}
        for name, record in records.items()
    }


def with_faults(inputs: list[Path], output: Path, log: Path, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with scheduler() as address, workers(address, 2) as client:
        batch = Batch(inputs, output, f"dask://{address}", log)
        batch.wait_for(lambda: batch.done() >= count // 6)
        os.kill(worker_processes(client)[0], signal.SIGKILL)
        batch.wait_for(lambda: batch.done() >= count // 3)
        found["hung worker replaced after s"] = round(_stop_one(client, batch), 1)
        batch.wait_for(lambda: batch.done() >= count // 2)
        batch.process.kill()
        batch.end()
        found["done when the client was killed"] = batch.done()
        start_s = time.monotonic()
        again = Batch(inputs, output, f"dask://{address}", log)
        before = again.done()
        again.wait_for(lambda: again.done() > before)
        found["first item after the resume, s"] = round(time.monotonic() - start_s, 1)
        found["exit code"] = again.end()
    lines = log.read_text(errors="replace").splitlines()
    found["tried again"] = sum("is tried again" in line for line in lines)
    return found


def _stop_one(client: Client, batch: Batch) -> float:
    """Seconds until another process is there in its place."""
    before = set(worker_processes(client))
    stopped = min(before)
    os.kill(stopped, signal.SIGSTOP)
    start_s = time.monotonic()

    def replaced() -> bool:
        addresses = client.scheduler_info(n_workers=-1)["workers"]
        return len(addresses) == 2 and not Path(f"/proc/{stopped}").exists()

    batch.wait_for(replaced)
    return time.monotonic() - start_s


def with_full_disk(inputs: list[Path], folder: Path, log: Path, count: int) -> dict[str, Any]:
    disk, size_mib = folder / "small-disk", max(8, MIB_FOR_60 * count // 60)
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        return {"full disk": "not tried: no right to mount one"}
    try:
        filler = disk / "others"
        filler.write_bytes(b"x" * (size_mib - 4) * (1 << 20))
        first = Batch(inputs, disk / "out", "local:2", log).end()
        done = len(contents(disk / "out"))
        left = [str(path) for path in (disk / "out").glob(".attempts/*")]
        filler.unlink()
        second = Batch(inputs, disk / "out", "local:2", log).end()
        return {
            "full disk, exit codes before and after": [first, second],
            "full disk, items done before": done,
            "full disk, staging left": left,
            "full disk, equal": contents(disk / "out") == contents(folder / "sequential"),
        }
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for recordings and results; keeps the recordings")
    parser.add_argument("--count", type=int, default=180, help="recordings; with few all is done before a fault shows")
    parser.add_argument("--reuse", action="store_true", help="the sequential run of an earlier call")
    choice = parser.parse_args()
    folder = choice.folder.absolute()
    for name in ("faults", "small-disk", "poison", *(() if choice.reuse else ("sequential",))):
        shutil.rmtree(folder / name, ignore_errors=True)
    good = make_recordings(folder / "recordings", choice.count)
    inputs = [good, poison(folder / "poison")]
    log = folder / "log"
    log.unlink(missing_ok=True)
    found: dict[str, Any] = {"load": os.getloadavg()[0]}
    if not choice.reuse:
        sequential = Batch(inputs, folder / "sequential", "local:1", log)
        found["exit code, sequential"] = sequential.end()
        found["sequential, s"] = round(time.monotonic() - sequential.started_s, 1)
    found |= with_faults(inputs, folder / "faults", log, choice.count)
    failed = [path.stem for path in (folder / "faults").glob("failed/*.json")]
    found |= {
        "items": choice.count + 1,
        "done": len(contents(folder / "faults")),
        "equal to sequential": files(folder / "faults") == files(folder / "sequential"),
        "equal in content": contents(folder / "faults") == contents(folder / "sequential"),
        "failed": failed,
        "sentence": json.loads((folder / "faults" / "failed" / "poisoned.json").read_text())["reason"],
        "staging left": [str(path) for path in (folder / "faults").glob(".attempts/*")],
    }
    found |= with_full_disk(inputs, folder, log, choice.count)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
