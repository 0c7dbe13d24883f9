"""The loop with a random fault every few hundred frames: cameras, sinks, disk, clients, reload, signals.

    python -m tests.soak.fault_soak --frames 100000 --seed 1

Frames are noise of two cameras over a kernel of our own, the engine gives zeros at once: what is left is capture,
sinks, monitor, reload and web server. Memory, descriptors and threads are told at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from loguru import logger

from bench.live import descriptors, rss_mib
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, reload_on_hangup
from roma_device.app.settings.settings import Settings, load_settings
from roma_device.app.sinks import open_sink
from roma_device.app.sinks.sink_set import SinkSet
from tests.app.cameras.v4l2.test_v4l2 import Rig, opened
from tests.app.service.conftest import LiveStub, result

from .faults import FAULTS, Attacked


def soak(folder: Path, frames: int, seed: int) -> int:
    """Prints the table; 0 where every fault was recovered from."""
    chance, happened, unhealed = random.Random(seed), Counter[str](), 0
    (folder / "out").mkdir()
    (folder / "settings.yaml").write_text("")
    names = ("results", "depth")
    sinks = SinkSet({name: open_sink(name, folder / "out") for name in names})
    stats = LiveStats(LiveStub())
    monitor = Monitor(Health(stats, sinks=sinks), Notifier({}), folder / "status.json")
    reloader = Reloader(Settings(), lambda: load_settings(folder / "settings.yaml"), Notifier({}))
    samples: list[tuple[float, int, int]] = []
    index = longest_s = 0.0
    with contextlib.ExitStack() as stack:
        for sink in sinks.sinks.values():
            stack.enter_context(sink)
        stack.enter_context(monitor)
        monitor.serve("127.0.0.1:0", False, "none")
        stack.enter_context(reload_on_hangup(stack.enter_context(reloader)))
        reloader.apply_with(lambda _: None)
        assert monitor.web is not None
        attacked = Attacked(folder, monitor.web.port, Rig(formats=("GREY",)))
        camera = stack.enter_context(opened(attacked.rig, "?reconnect_s=10"))
        pairs = camera.frames()

        def frame() -> None:
            nonlocal index
            next(pairs)
            one = result(int(index) % 1000)
            sinks.write(one)
            monitor.observe(one)
            reloader.observe(one)
            index += 1

        while index < frames:
            for _ in range(chance.randint(100, 400)):
                frame()
            fault = chance.choice(FAULTS)
            happened[fault.__name__] += 1
            with fault(attacked):
                for _ in range(20):
                    frame()
            begun_s = time.monotonic()
            while sinks.in_trouble and time.monotonic() - begun_s < 10:
                frame()
                time.sleep(0.001)
            longest_s = max(longest_s, time.monotonic() - begun_s)
            unhealed += not monitor.health.is_good
            if index >= frames * (len(samples) + 1) / 10:
                samples.append((rss_mib(), descriptors(), threading.active_count()))
                rss, fds, threads = samples[-1]
                print(
                    f"{int(index)} frames, {happened.total()} faults, {unhealed} not recovered from, "
                    f"longest {longest_s:.2f} s; RSS {rss:.1f} MiB, {fds} descriptors, {threads} threads",
                    flush=True,
                )
    print(f"{int(index)} frames, seed {seed}; faults: {dict(happened)}")
    print(f"not well again: {unhealed}; longest recovery {longest_s:.2f} s; missing: {sinks.problem}")
    dropped = {reason: count for reason, count in camera.counts.dropped.items() if count}
    print(f"cameras: {camera.counts.reconnects} reconnections, dropped {dropped}")
    print("RSS MiB, descriptors, threads by tenths:", [(round(rss, 1), fds, threads) for rss, fds, threads in samples])
    return int(unhealed > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logger.remove()
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), arguments.frames, arguments.seed)


if __name__ == "__main__":
    raise SystemExit(main())
