"""Queued runs of a graph that does nothing: how long one takes, and how many there are a second.

``python -m benchmarks.queue.throughput`` starts a Redis of its own and one worker process, and
submits from this one. Reported are the time from a submission's acceptance to its run's end, asked
one after the other, and runs a second at 16 threads at once, with the CPU time of the worker, of
Redis and of this process for each run.
"""

import asyncio
import os
import statistics
import time
from pathlib import Path

from benchmarks.queue.opened import opened

from tests.runtime.queue.worker_processes import workers
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest

ALONE, TOGETHER, AT_ONCE = 100, 400, 16
GRAPH = """
from typing import TypedDict
from langgraph.graph import StateGraph
class State(TypedDict):
    n: int
def nothing(state):
    return {}
graph = StateGraph(State).add_node(nothing).set_entry_point("nothing")
"""
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def one(runtime: Runtime, thread: str) -> float:
    """Run once; return the seconds from acceptance to the end."""
    queued = await runtime.queue.submit(RunRequest("nothing", {"n": 1}, thread_id=thread))
    accepted = time.perf_counter()
    await runtime.queue.wait(queued.run_id)
    return time.perf_counter() - accepted


async def measure(runtime: Runtime, pids: dict[str, int]) -> None:
    """Print the figures."""
    for _ in range(10):
        await one(runtime, "warm")
    alone = [await one(runtime, f"alone-{n}") for n in range(ALONE)]
    begun = {name: cpu_seconds(pid) for name, pid in pids.items()}
    start = time.perf_counter()
    numbers = iter(range(TOGETHER))

    async def client(place: int) -> None:
        for number in numbers:
            await one(runtime, f"t{place}-{number}")

    await asyncio.gather(*(client(place) for place in range(AT_ONCE)))
    seconds = time.perf_counter() - start
    p50, p95 = statistics.median(alone), statistics.quantiles(alone, n=20)[-1]
    print(f"accepted to finished, one at a time   p50 {p50 * 1e3:.1f} ms  p95 {p95 * 1e3:.1f} ms")
    print(f"runs a second, {AT_ONCE} at once             {TOGETHER / seconds:.0f}")
    for name, pid in pids.items():
        used = (cpu_seconds(pid) - begun[name]) / TOGETHER
        print(f"CPU of {name:<10} for each run        {used * 1e3:.2f} ms")


async def main() -> None:
    """Start everything, measure, and end it."""
    async with opened("nothing", GRAPH) as here:
        with workers(here.project, here.redis.url, 1) as team:
            worker = team.alive[0].pid
            assert worker is not None
            pids = {"worker": worker, "Redis": here.redis.pid, "submitter": os.getpid()}
            await measure(here.runtime, pids)


if __name__ == "__main__":
    asyncio.run(main())
