"""What waiting costs: memory of Redis for each queued run, and CPU of queueing one more.

``python -m benchmarks.queue.waiting [THREADS]`` queues 10,000 runs that nobody executes, over 100
threads or as many as are named, and prints both for each thousand: they should be the same.
"""

import asyncio
import sys
import time

from benchmarks.queue.opened import opened
from benchmarks.queue.throughput import GRAPH, cpu_seconds

from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest

RUNS, PART, AT_ONCE, THREADS = 10_000, 1_000, 20, 100


async def queue(runtime: Runtime, first: int, count: int, threads: int) -> None:
    """Queue so many runs, over so many threads."""
    numbers = iter(range(first, first + count))

    async def submitter() -> None:
        for number in numbers:
            request = RunRequest("nothing", {"n": number}, thread_id=f"t{number % threads}")
            await runtime.queue.submit(request)

    await asyncio.gather(*(submitter() for _ in range(AT_ONCE)))


async def main(threads: int) -> None:
    """Print the table."""
    async with opened("nothing", GRAPH) as here:
        await queue(here.runtime, -10, 10, threads)
        print("runs waiting   bytes a run   CPU of Redis a run   CPU of the submitter a run")
        for first in range(0, RUNS, PART):
            before = (await here.runtime.redis.info("memory"))["used_memory"]
            used = cpu_seconds(here.redis.pid), time.process_time()
            await queue(here.runtime, first, PART, threads)
            after = (await here.runtime.redis.info("memory"))["used_memory"]
            theirs = (cpu_seconds(here.redis.pid) - used[0]) / PART * 1e3
            ours = (time.process_time() - used[1]) / PART * 1e3
            each = (after - before) / PART
            print(f"{first + PART:>12} {each:>13.0f} {theirs:>17.2f} ms {ours:>23.2f} ms")
        stats = await here.runtime.queue.stats()
        assert sum(stats.ready.values()) == threads, stats


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else THREADS))
