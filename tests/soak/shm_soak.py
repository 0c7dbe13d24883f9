"""Soak of the shared memory: readers in C under a sanitizer, and a writer that is as fast as it can be.

    python -m tests.soak.shm_soak [--frames 100000] [--readers 4] [--sanitizer address|thread|both]

Every pixel of a frame says which frame it is of. Printed is what each reader got; exit code 1 where a frame was torn, a
sanitizer had something to say, or a reader was not told the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.app.shared_memory.test_shared_memory import SANITIZERS, begin, compiled, writer


def soak(sanitizer: str, frames: int, readers: int) -> bool:
    """Whether all was well."""
    name = f"soak-{os.getpid()}-{sanitizer}"
    with tempfile.TemporaryDirectory() as folder, writer(name, frames, readers=readers) as process:
        program = compiled(Path(folder), "soak.c", "-g", *SANITIZERS[sanitizer])
        reading = subprocess.Popen([program, name, str(readers)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        start_s = time.monotonic()
        begin(process)
        out, err = (text.decode() for text in reading.communicate())
    seen = [[int(word) for word in line.split()] for line in out.splitlines()]
    read, torn = [each[0] for each in seen], sum(each[1] for each in seen)
    print(f"{sanitizer}: {frames} frames in {time.monotonic() - start_s:.0f} s; read {read}, torn {torn}", flush=True)
    print(err, end="")
    all_told = len(seen) == readers and all(outcome == -1 for _, _, outcome in seen)
    return reading.returncode == 0 and not err and torn == 0 and all_told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=4, help="at most 16")
    parser.add_argument("--sanitizer", choices=(*SANITIZERS, "both"), default="both")
    options = parser.parse_args()
    chosen = list(SANITIZERS) if options.sanitizer == "both" else [options.sanitizer]
    well = [soak(each, options.frames, options.readers) for each in chosen]
    sys.exit(not all(well))


if __name__ == "__main__":
    main()
