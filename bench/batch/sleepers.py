"""Many workers of Dask in one process, for tasks that only sleep.

python -m bench.batch.sleepers HOST:PORT COUNT
"""

from __future__ import annotations

import asyncio
import sys
import time

from distributed import Worker


def sleep(seconds: float) -> float:
    """The task."""
    time.sleep(seconds)
    return seconds


async def serve(address: str, count: int) -> None:
    """Until the scheduler goes away."""
    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "nthreads": 1, "memory_limit": 0}
    workers = [await Worker(f"tcp://{address}", **here) for _ in range(count)]
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
