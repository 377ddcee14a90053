"""What waiting costs: memory of Redis for each queued run, and CPU of queueing one more.

``python -m benchmarks.queue.waiting [THREADS]`` queues 10,000 runs that nobody executes, over 100
threads or as many as are named, and prints both for each thousand: they should be the same.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.queue.throughput import GRAPH, cpu_seconds

from tests.support.redis_servers import packaged_binary, running_server
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
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        project = Path(folder) / "project"
        (project / "agents").mkdir(parents=True)
        (project / "nothing.py").write_text(GRAPH)
        (project / "agents" / "nothing.yaml").write_text("graph: nothing.py:graph\n")
        with running_server(packaged_binary(), Path(folder) / "redis") as redis:
            async with Runtime.open(redis.url, project) as runtime:
                await queue(runtime, -10, 10, threads)
                print(
                    "runs waiting   bytes a run   CPU of Redis a run   CPU of the submitter a run"
                )
                for first in range(0, RUNS, PART):
                    before = (await runtime.redis.info("memory"))["used_memory"]
                    used = cpu_seconds(redis.pid), time.process_time()
                    await queue(runtime, first, PART, threads)
                    after = (await runtime.redis.info("memory"))["used_memory"]
                    theirs = (cpu_seconds(redis.pid) - used[0]) / PART * 1e3
                    ours = (time.process_time() - used[1]) / PART * 1e3
                    each = (after - before) / PART
                    print(f"{first + PART:>12} {each:>13.0f} {theirs:>17.2f} ms {ours:>23.2f} ms")
                stats = await runtime.queue.stats()
                assert sum(stats.ready.values()) == threads, stats


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else THREADS))
