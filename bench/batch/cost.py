"""What a batch costs besides its work, and how that grows.

    python -m bench.batch.cost overhead --folder FOLDER           # per item, against run in the same process
    python -m bench.batch.cost speed --folder FOLDER              # one worker and two: only on idle cores
    python -m bench.batch.cost sleep --tasks 10000 --workers 100  # scheduler and client, with tasks that sleep

Prints JSON. CPU times count on a busy machine too, wall times on an idle one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from distributed import Client

from roma_device.app.batch.command import BatchChoice, run_batch
from roma_device.app.run.command import run_from_settings
from roma_device.app.settings.settings import Settings
from roma_device.app.workers import work_through
from roma_device.app.workers.opening import open_workers

from .cluster import scheduler
from .recordings import make_recordings
from .sleepers import sleep

SMALL = Settings().overridden(engine="opencv", passes=0, input_width=64, threads=1, **{"output.save": ("depth",)})
PER_PROCESS = 25
LOOK_S = 0.02
LONG_TTL_S = 600
"""Many workers in one process are slow to give signs of life, and nobody would start them anew."""


def overhead(folder: Path, count: int) -> dict[str, float]:
    """Of a batch in one process over ``run`` for each of its items."""
    recordings = make_recordings(folder / "recordings", count)
    for name in ("alone", "batch"):
        shutil.rmtree(folder / name, ignore_errors=True)
    with redirect_stdout(StringIO()):
        alone = _clocks()
        for path in sorted(recordings.iterdir()):
            output = SMALL.output.model_copy(update={"folder": folder / "alone" / path.name})
            settings = SMALL.model_copy(update={"camera": f"recording:{path}", "output": output})
            run_from_settings(settings, lambda: SMALL, as_json=False, is_quiet=True)
        batch = _clocks()
        run_batch(SMALL, BatchChoice([str(recordings)], folder / "batch", is_quiet=True))
        end = _clocks()
    cpu_s, wall_s = ((end[i] - batch[i]) - (batch[i] - alone[i]) for i in (0, 1))
    of_run = {f"run, ms of {name}": round(1000 * (batch[i] - alone[i]) / count, 1) for i, name in enumerate(CLOCKS)}
    return {**of_run, "overhead, ms of CPU": 1000 * cpu_s / count, "overhead, ms of wall": 1000 * wall_s / count}


CLOCKS = ("CPU", "wall")


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.monotonic()


def speed(folder: Path, count: int, frames: int) -> dict[str, float]:
    """Seconds with one worker, with two, and of two batches at once with half of the work and one worker each.

    The last has nothing to share or to wait for: what it gains over one worker is what two cores of this machine give.
    """
    recordings = sorted(make_recordings(folder / f"long-{frames}", count, frames).iterdir())
    one_s, two_s = (_batches_s(folder, [(recordings, workers)]) for workers in (1, 2))
    apart_s = _batches_s(folder, [(recordings[::2], 1), (recordings[1::2], 1)])
    return {
        "1 worker, s": round(one_s, 2),
        "2 workers, s": round(two_s, 2),
        "2 batches of 1 worker, s": round(apart_s, 2),
        "times as fast": round(one_s / two_s, 2),
        "times as fast, apart": round(one_s / apart_s, 2),
    }


def _batches_s(folder: Path, batches: list[tuple[list[Path], int]]) -> float:
    """Seconds from the begin of the first item to the end of the last, all batches at once."""
    output = folder / "speed"
    shutil.rmtree(output, ignore_errors=True)
    running = [_batch(output / str(at), *batch) for at, batch in enumerate(batches)]
    while any(process.poll() is None for process in running) and not any(output.glob("*/.attempts/*")):
        time.sleep(LOOK_S)
    start_s, count = time.monotonic(), sum(len(recordings) for recordings, _ in batches)
    while any(process.poll() is None for process in running) and len(list(output.glob("*/items/*"))) < count:
        time.sleep(LOOK_S)
    taken_s = time.monotonic() - start_s
    if any(process.wait() for process in running):
        raise SystemExit(f"a batch ended with {[process.returncode for process in running]}")
    return taken_s


def _batch(output: Path, recordings: list[Path], workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "roma_device.app.cli", "-q", "batch", *map(str, recordings), "--json"]
    options = ["--output", str(output), "--engine", "opencv", "--save", "depth", "--on", f"local:{workers}"]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)


def sleeping(tasks: int, workers: int, seconds: float) -> dict[str, float]:
    """``tasks`` that sleep ``seconds``, on ``workers`` that share a few processes."""
    with scheduler(LONG_TTL_S) as address, _sleepers(address, workers), open_workers(f"dask://{address}") as opened:
        client = Client(f"tcp://{address}")
        client.wait_for_workers(workers, timeout=300)
        while opened.capacity < workers:
            opened.next(0.1)
        before_s, start = _scheduler_cpu_s(client), _clocks()
        arguments = [(str(number), seconds) for number in range(tasks)]
        done = sum(over.problem is None for over in work_through(opened, sleep, arguments))
        cpu_s, wall_s = (now - then for now, then in zip(_clocks(), start, strict=True))
        of_scheduler_s = _scheduler_cpu_s(client) - before_s
        client.close()
    return {
        "workers": workers,
        "tasks": tasks,
        "done": done,
        "sleep, s": seconds,
        "wall, s": round(wall_s, 1),
        "at least, s": round(tasks * seconds / workers, 1),
        "client, ms of CPU a task": round(1000 * cpu_s / tasks, 2),
        "scheduler, ms of CPU a task": round(1000 * of_scheduler_s / tasks, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def _scheduler_cpu_s(client: Client) -> float:
    found: float = client.run_on_scheduler(time.process_time)
    return found


@contextmanager
def _sleepers(address: str, count: int) -> Iterator[None]:
    shares = [min(PER_PROCESS, count - start) for start in range(0, count, PER_PROCESS)]
    command = [sys.executable, "-m", "bench.batch.sleepers", address]
    processes = [subprocess.Popen([*command, str(share)], stderr=subprocess.DEVNULL) for share in shares]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "speed", "sleep"])
    parser.add_argument("--folder", type=Path, default=Path("out/batch-cost"))
    parser.add_argument("--count", type=int, default=20, help="recordings")
    parser.add_argument("--frames", type=int, default=40, help="in each recording, for speed")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0, help="that a task sleeps")
    choice = parser.parse_args()
    found: dict[str, Any]
    if choice.what == "sleep":
        found = sleeping(choice.tasks, choice.workers, choice.seconds)
    elif choice.what == "speed":
        found = speed(choice.folder.absolute(), choice.count, choice.frames)
    else:
        found = overhead(choice.folder.absolute(), choice.count)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
