"""A thousand readers of streams at once, a hundred of whom read nothing for long.

``python -m benchmarks.server.readers [READERS] [SLOW]`` serves a graph with ``treadle serve``. The
quick readers follow one run of 400 events; the slow ones open a run of 16 MB each time and read
nothing of it until the quick ones are done. Printed are how many had the last event, whether all
had the same bytes, the time of ``/ok`` meanwhile (asked by a process of its own, 50 times a
second), the server's memory, its CPU time, and its connections to Redis.
"""

import asyncio
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import redis.asyncio
from benchmarks.queue.throughput import cpu_seconds
from benchmarks.server.runs import until_up

from tests.support.redis_servers import free_port, packaged_binary, running_server

GRAPH = """
import asyncio
from typing import TypedDict
from langgraph.config import get_stream_writer
from langgraph.graph import StateGraph

class State(TypedDict, total=False):
    count: int
    size: int
    pause: float

async def tell(state):
    write = get_stream_writer()
    for number in range(state["count"]):
        write({"number": number, "text": "x" * state["size"]})
        await asyncio.sleep(state["pause"])
    return {}

graph = StateGraph(State).add_node(tell).set_entry_point("tell")
"""
Given = Mapping[str, float]
SMALL: Given = {"count": 400, "size": 500, "pause": 0.02}
BIG: Given = {"count": 2_000, "size": 8_000, "pause": 0.002}
PROBE_SECONDS = 0.02


@dataclass
class Read:
    """What a reader had: its bytes, by count and digest, and whether the last event was there."""

    size: int
    digest: str
    is_whole: bool


async def read(url: str, path: str, may_read: asyncio.Event) -> Read:
    """Ask for a stream, and read it when that is allowed."""
    place = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (place.hostname, place.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=16_384)
    head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nLast-Event-ID: -1\r\n\r\n"
    writer.write(head.encode())
    answered = await reader.readuntil(b"\r\n\r\n")
    if not answered.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answered.decode())
    digest, size, last = sha256(), 0, b""
    await may_read.wait()
    while length := int(await reader.readline(), 16):
        piece = await reader.readexactly(length)
        await reader.readexactly(2)
        if not piece.startswith(b":"):
            digest.update(piece)
            size += len(piece)
            last = (last + piece)[-60:]
    writer.close()
    return Read(size, digest.hexdigest(), b"event: end\n" in last)


async def begin(client: httpx.AsyncClient, given: Given) -> str:
    """Queue a run; return the path of its stream."""
    body = {"assistant_id": "tell", "input": given, "stream_mode": "custom"}
    thread = (await client.post("/threads", json={})).json()["thread_id"]
    answer = await client.post(f"/threads/{thread}/runs", json=body)
    answer.raise_for_status()
    return f"{answer.headers['content-location']}/stream"


async def follow(
    url: str, readers: int, slow: int, *, small: Given = SMALL, big: Given = BIG
) -> tuple[list[Read], list[Read]]:
    """Let the quick ones follow a small run and the slow ones a big one; return what each had."""
    at_once, later = asyncio.Event(), asyncio.Event()
    at_once.set()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        slow_path, quick_path = await begin(client, big), await begin(client, small)
    waiting = [asyncio.create_task(read(url, slow_path, later)) for _ in range(slow)]
    quick = await asyncio.gather(*(read(url, quick_path, at_once) for _ in range(readers - slow)))
    later.set()
    return quick, await asyncio.gather(*waiting)


def probe(url: str) -> None:
    """Ask ``/ok`` until standard input ends; print the milliseconds that each answer took."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    os.set_blocking(sys.stdin.fileno(), False)
    while sys.stdin.buffer.read(1) is None:
        begun = time.perf_counter()
        connection.request("GET", "/ok")
        connection.getresponse().read()
        print((time.perf_counter() - begun) * 1e3)
        time.sleep(PROBE_SECONDS)


@contextmanager
def probing(url: str) -> Iterator[list[float]]:
    """Ask ``/ok`` in another process inside the block; give the sorted milliseconds after it."""
    took: list[float] = []
    command = [sys.executable, "-m", "benchmarks.server.readers", "probe", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asking:
        try:
            yield took
        finally:
            took += sorted(float(one) for one in asking.communicate()[0].split())


def memory_mb(pid: int, name: str) -> float:
    """Return a process's resident memory, now (``VmRSS``) or at its most (``VmHWM``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


@asynccontextmanager
async def watched(redis_url: str) -> AsyncIterator[list[int]]:
    """Give how many connections Redis had, looked at ten times a second."""
    seen: list[int] = []

    async def look() -> None:
        async with redis.asyncio.from_url(redis_url) as client:
            while True:
                seen.append(int((await client.info("clients"))["connected_clients"]) - 1)
                await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def measure(url: str, redis_url: str, pid: int, readers: int, slow: int) -> None:
    """Print the figures."""
    await until_up(url)
    await follow(url, 20, 2)
    before, cpu, begun = memory_mb(pid, "VmRSS"), cpu_seconds(pid), time.perf_counter()
    with probing(url) as took:
        async with watched(redis_url) as connections:
            quick, late = await follow(url, readers, slow)
    for name, had in (("quick", quick), ("slow", late)):
        whole, kinds = sum(one.is_whole for one in had), len({one.digest for one in had})
        size = sum(one.size for one in had) / 1e6
        print(f"{name:<6} readers {len(had):>5}   had the last event {whole:>5}   {size:.0f} MB")
        print(f"{'':<6} different streams {kinds}")
    p99 = statistics.quantiles(took, n=100)[-1]
    print(
        f"/ok asked {len(took)} times   p50 {statistics.median(took):.1f} ms   "
        f"p99 {p99:.1f} ms   most {took[-1]:.1f} ms"
    )
    print(
        f"server memory {before:.0f} MB before, {memory_mb(pid, 'VmHWM'):.0f} MB at most   "
        f"CPU {cpu_seconds(pid) - cpu:.1f} s of {time.perf_counter() - begun:.1f} s   "
        f"connections to Redis at most {max(connections)}"
    )


def make_project(folder: Path) -> Path:
    """Make a project with the graph."""
    (folder / "agents").mkdir()
    (folder / "tell.py").write_text(GRAPH)
    (folder / "agents" / "tell.yaml").write_text("graph: tell.py:graph\n")
    return folder


def main() -> None:
    """Measure a server of Treadle's own."""
    if sys.argv[1:2] == ["probe"]:
        probe(sys.argv[2])
        return
    readers, slow = (int(one) for one in (sys.argv[1:] or ("1000", "100")))
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as name:
        folder = make_project(Path(name))
        port = free_port()
        with running_server(packaged_binary(), folder / "redis") as server:
            treadle = Path(sys.executable).parent / "treadle"
            command = [treadle, "serve", "--port", str(port), "--project", name]
            environment = {**os.environ, "TREADLE_HOME": f"{name}/home"}
            with (
                (folder / "log").open("wb") as log,
                subprocess.Popen(
                    [*command, "--redis", server.url], env=environment, stdout=log, stderr=log
                ) as serving,
            ):
                try:
                    url = f"http://127.0.0.1:{port}"
                    asyncio.run(measure(url, server.url, serving.pid, readers, slow))
                finally:
                    serving.terminate()


if __name__ == "__main__":
    main()
