"""What an item of a store costs, for our store and its peers, in one table.

``python -m benchmarks.memory.store``: items of about 300 characters in one namespace, at 1,000 and
at 10,000 items. Each store runs in a process of its own, on a database of its own. A peer that is
not installed is named and left out; run this with an interpreter that has them beside treadle.

Columns, each at both sizes: bytes held per item; CPU of the client in microseconds, and round
trips, of one put, one get, one search for the 10 newest, and one search with a filter that a tenth
of the items pass. For a store that finds by meaning (vectors of 64 numbers) one search by meaning,
which compares all vectors. The last rows are about facts: ``remember`` and ``current``.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.memory.saver_peers import (
    AbsentError,
    _counting,
    _imported,
    _postgres_server,
    _redis,
    _redis_size,
)
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from treadle.memory.store import Facts, RedisStore

SIZES = (1_000, 10_000)
SAMPLES = 40
DIMS = 64
NAME = ("users", "alice", "notes")
WORDS = [f"word{n}" for n in range(2_000)]


@dataclass
class Opened:
    """A store, how many bytes it holds, and how many round trips it has made."""

    store: BaseStore
    size: Callable[[], int | None]
    round_trips: Callable[[], int] | None = None


def embed(texts: list[str]) -> list[list[float]]:
    """Return random vectors, the same for the same text."""
    return [[random.Random(text).uniform(-1, 1) for _ in range(DIMS)] for text in texts]


INDEX: Any = {"dims": DIMS, "embed": embed, "fields": ["text"]}


@contextmanager
def treadle(folder: Path, index: Any = None) -> Iterator[Opened]:
    with _redis(folder) as client:
        trips = _counting("redis")
        yield Opened(RedisStore(client, index=index), lambda: _redis_size(client), trips)


@contextmanager
def in_memory(_: Path, index: Any = None) -> Iterator[Opened]:
    yield Opened(InMemoryStore(index=index), lambda: None)


@contextmanager
def sqlite(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-sqlite", "langgraph.store.sqlite")
    path = folder / "store.sqlite"
    with peer.SqliteStore.from_conn_string(str(path)) as store:
        store.setup()
        yield Opened(store, lambda: sum(part.stat().st_size for part in folder.glob("store*")))


@contextmanager
def postgres(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-postgres", "langgraph.store.postgres")
    with _postgres_server(folder) as url, peer.PostgresStore.from_conn_string(url) as store:
        store.setup()
        size = "SELECT pg_total_relation_size('store') AS size"
        yield Opened(store, lambda: int(store.conn.execute(size).fetchone()["size"]))


@contextmanager
def vendor(folder: Path) -> Iterator[Opened]:
    _imported("langgraph-checkpoint-redis", "langgraph.store.redis")
    raise AbsentError("it needs the RediSearch and RedisJSON modules, which core Redis lacks")
    yield  # type: ignore[unreachable]


STORES: dict[str, Callable[[Path], AbstractContextManager[Opened]]] = {
    "treadle RedisStore": treadle,
    "InMemoryStore": in_memory,
    "sqlite": sqlite,
    "postgres": postgres,
    "langgraph-redis": vendor,
    "treadle, by meaning": lambda folder: treadle(folder, INDEX),
    "InMemory, by meaning": lambda folder: in_memory(folder, INDEX),
}


def value(number: int) -> dict[str, Any]:
    words = random.Random(number).choices(WORDS, k=40)
    return {"text": " ".join(words)[:280], "tenth": number % 10}


def measured(opened: Opened, *, by_meaning: bool) -> dict[str, Any]:
    """Return the figures of one store, by operation and size."""
    store, figures, count = opened.store, {}, 0
    for size in SIZES:
        for start in range(count, size, 500):
            store.batch([PutOp(NAME, f"k{n}", value(n)) for n in range(start, start + 500)])
        held = opened.size()
        count = size
        operations: dict[str, Callable[[int], Any]] = {
            "put": lambda n: store.put(NAME, f"k{n}", value(n)),
            "get": lambda n: store.get(NAME, f"k{n}"),
            "newest": lambda _: store.search(NAME, limit=10),
            "filter": lambda n: store.search(NAME, filter={"tenth": n % 10}, limit=10),
        }
        if by_meaning:
            operations["meaning"] = lambda n: store.search(NAME, query=f"words {n}", limit=10)
        figures[size] = {name: sample(opened, work, size) for name, work in operations.items()}
        figures[size]["bytes"] = None if held is None else held / size
    return figures


def sample(opened: Opened, work: Callable[[int], Any], size: int) -> tuple[float, float | None]:
    """Return the median CPU of an operation in microseconds, and its round trips."""
    work(0)
    cpu, before = [], opened.round_trips() if opened.round_trips else 0
    for number in random.Random(1).sample(range(size), SAMPLES):
        start = time.process_time()
        work(number)
        cpu.append(time.process_time() - start)
    trips = (opened.round_trips() - before) / SAMPLES if opened.round_trips else None
    return statistics.median(cpu) * 1e6, trips


def facts_measured(folder: Path) -> dict[str, Any]:
    """Return what remembering and recalling cost at 100 and at 1,000 things known."""
    figures: dict[str, Any] = {}
    with treadle(folder) as opened, asyncio.Runner() as runner:
        facts = Facts(opened.store, ("users", "alice", "facts"))

        def remember(n: int) -> None:
            text = f"Thing {n} is {random.random()}."
            runner.run(facts.remember(text, about=f"thing {n}"))

        known = 0
        for size in (100, 1_000):
            for number in range(known, size):
                remember(number)
            known = size
            figures[str(size)] = {
                "remember": sample(opened, remember, size),
                "current": sample(
                    opened, lambda n: runner.run(facts.current(f"What is thing {n}?")), size
                ),
            }
    return figures


def one(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="store-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        if name == "facts":
            return facts_measured(Path(folder))
        try:
            with STORES[name](Path(folder)) as opened:
                return measured(opened, by_meaning="meaning" in name)
        except AbsentError as absent:
            return {"absent": str(absent)}


def row(name: str, figures: dict[str, Any]) -> str:
    if "absent" in figures:
        return f"{name:<22} left out: {figures['absent']}"
    small, large = (figures[str(size)] for size in SIZES)
    held = (
        "          -" if small["bytes"] is None else f"{small['bytes']:5.0f} {large['bytes']:5.0f}"
    )
    cells = [pair(small[what], large[what]) for what in small if what != "bytes"]
    return f"{name:<22} {held}  " + "  ".join(cells)


def pair(small: Any, large: Any) -> str:
    trips = "" if small[1] is None else f" ({small[1]:.0f}, {large[1]:.0f})"
    return f"{small[0]:7.0f} {large[0]:7.0f}{trips:<8}"


def run(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--one", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Print the table."""
    print(
        f"CPU of the client in microseconds (round trips), at {SIZES[0]:,} and {SIZES[1]:,} items"
    )
    heads = [f"{what:<23}" for what in ("put", "get", "10 newest", "filter", "by meaning")]
    print(f"{'store':<22} {'bytes/item':<11}    " + "  ".join(heads))
    for name in STORES:
        print(row(name, run(name)), flush=True)
    figures = run("facts")
    print("facts, at 100 and at 1,000 things known")
    for what in ("remember", "current"):
        print(f"{what:<22} {pair(figures['100'][what], figures['1000'][what])}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main()
