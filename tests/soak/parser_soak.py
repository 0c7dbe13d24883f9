"""Spoiled files into every reader: each answers within 5 s and 1.5 GiB, by a value or a typed error of one sentence.

    python -m tests.soak.parser_soak --inputs 20000 --seed 1

Prints inputs, refusals, the slowest answer (processor time) and the growth of memory for each kind of file; the exit
code is 1 where one broke the promise.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from roma_device.calibration.errors import RomaError
from tests.soak.readers import Reader, readers

LIMIT_S = 5.0
MOST_BYTES = 3 << 29
"""1.5 GiB above what the process has at the start, as the kernel counts addresses."""

TOKENS = (
    *(b"1e308", b"-1", b"nan", b"inf", b"1" + b"0" * 5000, b"\0", b"\xff\xfe", b"1:30", b"&a ", b"*a ", b"[" * 2000),
    *(b"%PDF", b"/dev/zero", b"{", b"}", b'"', b"\n- ", b": ", b"!!python/object ", b"\xff" * 8, b"\x7f\xff\xff\xff"),
)

Change = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def with_token(data: bytes, chance: random.Random) -> bytes:
    place, gone = chance.randrange(len(data)), chance.choice((0, 0, 4, 12))
    return data[:place] + chance.choice(TOKENS) + data[place + gone :]


def repeated(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    part = data[start : start + chance.randint(1, 200)]
    return data[:start] + part * chance.choice((2, 3, 500)) + data[start:]


def without_part(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 100) :]


CHANGES: tuple[Change, ...] = (flipped, cut, with_token, repeated, without_part)


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """One to three changes."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(CHANGES)(data, chance) or b"\n"
    return data


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    broken: list[str] = field(default_factory=list)

    def take(self, reader: Reader, path: Path, data: bytes) -> None:
        self.inputs += 1
        path.write_bytes(data)
        begun_s = time.process_time()
        try:
            reader.read(path)
        except RomaError as error:
            self.refused += 1
            if not str(error) or str(error).count("\n") > 2:
                self.broken.append(f"no sentence: {error}")
        except Exception as error:
            self.broken.append(repr(error)[:200])
        took_s = time.process_time() - begun_s
        self.slowest_s = max(self.slowest_s, took_s)
        if took_s > LIMIT_S:
            self.broken.append(f"took {took_s:.1f} s")


def rss_mib() -> float:
    """The most that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, resource.RLIM_INFINITY))


def soak(folder: Path, inputs: int, seed: int, kept: Path | None, only: str = "") -> int:
    """0 where every input was answered in time, by a value or a typed error."""
    chance, whole, is_good = random.Random(seed), readers(folder), True
    table = [reader for reader in whole if re.search(only, reader.name)]
    for reader in table:
        reader.read(reader.whole)  # imports what it needs, and shows that it can
    limit_memory()
    for reader in table:
        tally, before_mib, data = Tally(), rss_mib(), reader.whole.read_bytes()
        for number in range(-(-inputs // len(whole))):
            bad = spoiled(data, chance)
            broken = len(tally.broken)
            tally.take(reader, reader.spoiled, bad)
            if len(tally.broken) > broken and kept is not None:
                (kept / f"{reader.name}-{number}").write_bytes(bad)
        print(
            f"{reader.name:<22}{tally.inputs:>6} inputs, {tally.refused:>6} refused, slowest {tally.slowest_s:.2f} s, "
            f"memory +{rss_mib() - before_mib:.0f} MiB, broken {len(tally.broken)}",
            flush=True,
        )
        for broken_promise in dict.fromkeys(tally.broken):
            print(f"    {broken_promise}")
        is_good = is_good and not tally.broken
    return int(not is_good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that break the promise")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="names of the readers; the others' inputs are left out"
    )
    arguments = parser.parse_args()
    logger.remove()
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), arguments.inputs, arguments.seed, arguments.keep, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
