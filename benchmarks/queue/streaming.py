"""How soon a reader has what a worker streams.

``python -m benchmarks.queue.streaming`` starts a Redis of its own and one worker process, whose
graph emits 200 events 5 ms apart, each with the moment it was emitted. Printed is the time from
there to a reader in this process, alone and beside 20 others.
"""

import asyncio
import json
import statistics
import time

from benchmarks.queue.opened import opened

from tests.runtime.queue.worker_processes import workers
from treadle.runtime import Runtime
from treadle.runtime.queue import RunOptions, RunRequest

GRAPH = """
import asyncio, time
from typing import TypedDict
from langgraph.config import get_stream_writer
from langgraph.graph import StateGraph
class State(TypedDict):
    n: int
async def tell(state):
    write = get_stream_writer()
    for _ in range(200):
        write(time.time())
        await asyncio.sleep(0.005)
    return {}
graph = StateGraph(State).add_node(tell).set_entry_point("tell")
"""


async def read(runtime: Runtime, run_id: str) -> list[float]:
    """Read a run's events; return the milliseconds each took from its emission to here."""
    return [
        (time.time() - json.loads(event.data)) * 1e3
        async for event in runtime.queue.events(run_id)
        if event.name == "custom"
    ]


async def measure(runtime: Runtime, readers: int) -> None:
    """Print the figures for so many readers of one run."""
    options = RunOptions(stream=("custom",))
    queued = await runtime.queue.submit(RunRequest("tell", {"n": 1}, options=options))
    took = await asyncio.gather(*(read(runtime, queued.run_id) for _ in range(readers)))
    every = [one for each in took for one in each]
    p50, p99 = statistics.median(every), statistics.quantiles(every, n=100)[-1]
    print(f"{readers:>3} readers   {len(every)} events   p50 {p50:.1f} ms   p99 {p99:.1f} ms")


async def main() -> None:
    """Start everything, measure, and end it."""
    async with opened("tell", GRAPH) as here:
        with workers(here.project, here.redis.url, 1):
            await measure(here.runtime, 1)
            for readers in (1, 20):
                await measure(here.runtime, readers)


if __name__ == "__main__":
    asyncio.run(main())
