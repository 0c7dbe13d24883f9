"""How long ``roma-device fleet status`` takes for 20 boards on loopback: 10 well, 4 unwell, 3 stalled, 2 dead, 1 odd.

    python -m bench.batch.fleet [--calls 8]

Each call is a program of its own, as a user has it, with the default deadline. Prints seconds and states as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from loguru import logger

from tests.app.fleet.test_fleet import Yard


def boards(yard: Yard) -> dict[str, int]:
    """Name -> port."""
    return {
        **{f"ok-{number}": yard.board() for number in range(10)},
        **{f"unwell-{number}": yard.board(is_well=False) for number in range(4)},
        **{f"stalled-{number}": yard.stalled() for number in range(2)},
        "stalled-trickling": yard.answering(b"HTTP/1.1 200 OK\r\n\r\n{", b" ", forever=True),
        **{f"dead-{number}": yard.dead() for number in range(2)},
        "odd": yard.answering(b"HTTP/1.1 404 Not Found\r\n\r\n<html>"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calls", type=int, default=8, help="at most 8: a board that stalls takes no more connections then"
    )
    calls = min(parser.parse_args().calls, 8)
    seconds: list[float] = []
    logger.remove()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hosts.yaml"
        ports = boards(Yard(stack))
        path.write_text("boards:\n" + "".join(f"  {name}: http://127.0.0.1:{port}\n" for name, port in ports.items()))
        command = [sys.executable, "-m", "roma_device.app.cli", "fleet", "status", str(path), "--json"]
        for _ in range(calls):
            start_s = time.monotonic()
            answer = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            seconds.append(time.monotonic() - start_s)
            states = {each["board"]: each["state"] for each in json.loads(answer.stdout)}
            assert states == {name: name.partition("-")[0] for name in ports}, states
    median, high = np.percentile(seconds, (50, 95))
    figures = {"median, s": round(median, 2), "95 %, s": round(high, 2), "greatest, s": round(max(seconds), 2)}
    print(json.dumps({"calls": calls, **figures, "states": Counter(states.values()), "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
