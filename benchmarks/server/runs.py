"""Stateless runs of a graph that does nothing, through LangGraph's own client, on any server.

``python -m benchmarks.server.runs`` serves such a graph with ``treadle serve`` and prints its
figures; ``python -m benchmarks.server.runs URL [ASSISTANT] [PID]`` asks a server that is running,
such as ``langgraph dev``: the time of ``runs.wait`` one after the other, runs a second at 16 at
once, and, of the process PID and its children, the CPU time for each run.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
from benchmarks.queue.throughput import GRAPH, cpu_seconds
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.support.redis_servers import free_port

ALONE, TOGETHER, AT_ONCE = 60, 320, 16


def family(pid: int) -> list[int]:
    """Return a process and all that came of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def used(pid: int) -> float:
    """Return the CPU time of a process and all that came of it."""
    return sum(cpu_seconds(one) for one in family(pid))


async def measure(url: str, assistant: str, pid: int | None) -> None:
    """Print the figures of a server."""
    async with get_client(url=url, timeout=60) as client:
        for _ in range(5):
            await one(client, assistant)
        alone = [await one(client, assistant) for _ in range(ALONE)]
        begun = used(pid) if pid else 0.0
        start = time.perf_counter()
        numbers = iter(range(TOGETHER))

        async def asker() -> None:
            for _ in numbers:
                await one(client, assistant)

        await asyncio.gather(*(asker() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - start
    p50, p95 = statistics.median(alone), statistics.quantiles(alone, n=20)[-1]
    print(f"stateless wait, one at a time   p50 {p50 * 1e3:.1f} ms  p95 {p95 * 1e3:.1f} ms")
    print(f"runs a second, {AT_ONCE} at once       {TOGETHER / seconds:.1f}")
    if pid:
        print(
            f"CPU for each run, {AT_ONCE} at once    {(used(pid) - begun) / TOGETHER * 1e3:.1f} ms"
        )


async def one(client: LangGraphClient, assistant: str) -> float:
    """Run once; return the seconds from asking to the answer."""
    begun = time.perf_counter()
    await client.runs.wait(None, assistant, input={"n": 1})
    return time.perf_counter() - begun


async def until_up(url: str) -> None:
    """Return when the server answers."""
    async with httpx.AsyncClient() as http:
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if (await http.get(f"{url}/ok")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def main() -> None:
    """Measure the server that was named, or one of Treadle's own."""
    if len(sys.argv) > 1:
        url, *more = sys.argv[1:]
        assistant = more[0] if more else "nothing"
        asyncio.run(measure(url, assistant, int(more[1]) if len(more) > 1 else None))
        return
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        (Path(folder) / "agents").mkdir()
        (Path(folder) / "nothing.py").write_text(GRAPH)
        (Path(folder) / "agents" / "nothing.yaml").write_text("graph: nothing.py:graph\n")
        port = free_port()
        treadle = Path(sys.executable).parent / "treadle"
        command = [treadle, "serve", "--port", str(port), "--project", folder]
        environment = {**os.environ, "TREADLE_HOME": f"{folder}/home"}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as serving:
            try:
                asyncio.run(until_up(f"http://127.0.0.1:{port}"))
                asyncio.run(measure(f"http://127.0.0.1:{port}", "nothing", serving.pid))
            finally:
                serving.terminate()


if __name__ == "__main__":
    main()
