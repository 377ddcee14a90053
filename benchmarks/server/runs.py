"""Runs over HTTP, through LangGraph's own client, on any server of its protocol.

``python -m benchmarks.server.runs`` starts ``treadle serve`` and prints its figures.
``python -m benchmarks.server.runs URL PID...`` asks a server that is running beside it, such as
``langgraph dev`` or Aegra; the processes are its own and its database's. ``--files FOLDER`` writes
the graphs and the ``langgraph.json`` (also as ``aegra.json``) that it is to serve. Measured are
waiting for a run that does nothing, alone and 16 at once, on a thread and without one where the
server knows such runs; the CPU time of the processes for each; how soon a stream's first event and
the last of 200 tokens come; and a run on a thread of 10, 100 and 400 turns.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from benchmarks.queue.throughput import cpu_seconds
from benchmarks.server import graphs
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.support.redis_servers import free_port

ALONE, TOGETHER, AT_ONCE, STREAMS = 60, 320, 16, 20
TURNS = (10, 100, 400)
NAMES = ("nothing", "count", "echo")


def family(pid: int) -> list[int]:
    """Return a process and all that came of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def used(pids: Sequence[int]) -> float:
    """Return the CPU time of processes and all that came of them."""
    return sum(cpu_seconds(one) for pid in pids for one in family(pid))


def redis_of(folder: str) -> list[int]:
    """Return the embedded Redis that lives in a folder, which is no child of who started it."""
    lines = {int(p.parent.name): p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")}
    return [
        pid for pid, line in lines.items() if b"redis-server" in line and folder.encode() in line
    ]


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return how many milliseconds a piece of work takes."""
    begun = time.perf_counter()
    await work()
    return (time.perf_counter() - begun) * 1e3


def spread(values: list[float]) -> str:
    """Return the median of values in milliseconds, and what one in twenty is above."""
    p95 = statistics.quantiles(values, n=20)[-1]
    return f"p50 {statistics.median(values):7.1f} ms   p95 {p95:7.1f} ms"


async def waiting(client: LangGraphClient, pids: Sequence[int], *, on_threads: bool) -> None:
    """Print what waiting for a run that does nothing takes."""

    async def run() -> None:
        thread = (await client.threads.create())["thread_id"] if on_threads else None
        await client.runs.wait(thread, "nothing", input={"n": 1})

    for _ in range(5):
        await run()
    alone = [await timed(run) for _ in range(ALONE)]
    begun, start, numbers = used(pids), time.perf_counter(), iter(range(TOGETHER))

    async def asker() -> None:
        for _ in numbers:
            await run()

    await asyncio.gather(*(asker() for _ in range(AT_ONCE)))
    seconds, cpu = time.perf_counter() - start, used(pids) - begun
    kind = "a new thread and a run on it" if on_threads else "a run without a thread"
    print(f"{kind:<32} {spread(alone)}")
    rate, each = TOGETHER / seconds, cpu / TOGETHER * 1e3
    print(f"  {AT_ONCE} at once: {rate:.1f} a second, CPU {each:.1f} ms each")


async def streaming(client: LangGraphClient) -> None:
    """Print how soon the first event, and all 200 tokens, are there."""
    first, whole = [], []
    for _ in range(STREAMS + 3):
        thread = (await client.threads.create())["thread_id"]
        begun, tokens, soonest = time.perf_counter(), 0, 0.0
        said = {"messages": [{"role": "user", "content": "Count."}]}
        async for part in client.runs.stream(
            thread, "count", input=said, stream_mode="messages-tuple"
        ):
            soonest = soonest or time.perf_counter() - begun
            tokens += part.event == "messages"
        assert tokens >= graphs.TOKENS, f"{tokens} tokens came"
        first.append(soonest * 1e3)
        whole.append((time.perf_counter() - begun) * 1e3)
    print(f"{'first event of a stream':<32} {spread(first[3:])}")
    print(f"{'stream of 200 tokens':<32} {spread(whole[3:])}")


async def growing(client: LangGraphClient, pids: Sequence[int]) -> None:
    """Print what a run costs on a thread that has had more and more turns."""
    thread = (await client.threads.create())["thread_id"]
    said = {"messages": [{"role": "user", "content": "x" * 500}]}

    async def turn() -> None:
        await client.runs.wait(thread, "echo", input=said)

    done = 0
    for turns in TURNS:
        for _ in range(turns - done):
            await turn()
        begun = used(pids)
        took = [await timed(turn) for _ in range(20)]
        cpu = (used(pids) - begun) / 20 * 1e3
        print(f"{f'a run after {turns} turns':<32} {spread(took)}   CPU {cpu:.1f} ms")
        done = turns + 20


async def measure(url: str, pids: Sequence[int]) -> None:
    """Print the figures of a server."""
    async with get_client(url=url, timeout=60) as client:
        for name in NAMES:  # Some servers know a graph only once it is an assistant.
            with suppress(httpx.HTTPError):
                await client.assistants.create(name, if_exists="do_nothing")
        try:
            await waiting(client, pids, on_threads=False)
        except httpx.HTTPStatusError:
            print("runs without a thread: the server knows none")
        await waiting(client, pids, on_threads=True)
        await streaming(client)
        await growing(client, pids)


async def until_up(url: str) -> None:
    """Return when the server answers."""
    async with httpx.AsyncClient() as http:
        for _ in range(1_200):
            with suppress(httpx.HTTPError):
                if (await http.get(f"{url}/ok")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def write_files(folder: Path) -> None:
    """Write the graphs, and what tells a server of them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(str(graphs.__file__), folder / "graphs.py")
    served = {name: f"./graphs.py:{name}_graph" for name in NAMES}
    for name in ("langgraph.json", "aegra.json"):
        (folder / name).write_text(json.dumps({"graphs": served, "dependencies": ["."]}))


@contextmanager
def serving(folder: str, **environment: str) -> Iterator[tuple[str, list[int]]]:
    """Serve the project in a folder; give where, and the processes of the server and its Redis."""
    port = free_port()
    treadle = Path(sys.executable).parent / "treadle"
    command = [treadle, "serve", "--port", str(port), "--project", f"{folder}/project"]
    home = {**os.environ, "TREADLE_HOME": f"{folder}/home", **environment}
    with subprocess.Popen(
        command, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            asyncio.run(until_up(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}", [process.pid, *redis_of(folder)]
        finally:
            process.terminate()


def main() -> None:
    """Measure the server that was named, or one of Treadle's own."""
    match sys.argv[1:]:
        case ["--files", folder]:
            write_files(Path(folder))
            return
        case [url, *numbers]:
            asyncio.run(measure(url, [int(number) for number in numbers]))
            return
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        write_files(Path(folder) / "project")
        with serving(folder) as (url, pids):
            asyncio.run(measure(url, pids))


if __name__ == "__main__":
    main()
