"""What it costs to index documents and to search them.

    python benchmarks/tools/documents.py [--passages 100000 | --folder PATH] [--queries 50]

Without ``--folder`` a corpus is written whose words follow the Zipf-Mandelbrot law of English,
the same every time. Redis is the embedded server, in a temporary folder.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from treadle.core.settings import Settings
from treadle.memory import connect
from treadle.tools import ToolContext, build_tool
from treadle.tools.documents import index

WORDS_PER_PASSAGE = 150
PASSAGES_PER_FILE = 20
VOCABULARY = 400_000
SYLLABLES = ("e", "ta", "on", "i", "ra", "se", "no", "ti", "la", "de", "ri", "co", "ma", "po", "vi")


@dataclass
class Cost:
    cpu: float = 0
    wall: float = 0
    round_trips: int = 0


class Meter:
    """Counts what the client sends, and the time of the process."""

    def __init__(self, client: Any) -> None:
        self.sent = 0
        self._execute = client.execute_command
        client.execute_command = self._counted

    async def _counted(self, *arguments: Any, **options: Any) -> Any:
        self.sent += 1
        return await self._execute(*arguments, **options)

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        cost = Cost()
        sent, cpu, wall = self.sent, time.process_time(), time.perf_counter()
        yield cost
        cost.cpu = time.process_time() - cpu
        cost.wall = time.perf_counter() - wall
        cost.round_trips = self.sent - sent


def word(rank: int) -> str:
    rank += 1
    parts = []
    while rank:
        rank, digit = divmod(rank, len(SYLLABLES))
        parts.append(SYLLABLES[digit])
    return "".join(parts)


def write_corpus(folder: Path, passages: int) -> None:
    """Write Markdown files of sections that are one passage each."""
    chance = np.random.default_rng(7)
    weights = 1 / (np.arange(VOCABULARY) + 2.7) ** 1.05
    cumulative = np.cumsum(weights / weights.sum())
    words = np.array([word(rank) for rank in range(VOCABULARY)], object)
    for number in range(0, passages, PASSAGES_PER_FILE):
        sections = []
        for section in range(min(PASSAGES_PER_FILE, passages - number)):
            ranks = np.searchsorted(cumulative, chance.random(WORDS_PER_PASSAGE))
            title = " ".join(words[chance.integers(0, 5_000, 3)])
            sections.append(f"## {title} {section}\n\n{' '.join(words[ranks])}\n")
        path = folder / f"{number // 20_000:03}" / f"{number // PASSAGES_PER_FILE:05}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# Document {number}\n\n" + "\n".join(sections))


def queries(folder: Path, count: int) -> list[str]:
    """Take six words in a row from texts of the folder."""
    chance = random.Random(11)
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".md", ".rst", ".txt"})
    taken = []
    for path in chance.choices(files, k=count):
        words = path.read_text(errors="replace").split()
        start = chance.randrange(max(1, len(words) - 6))
        taken.append(" ".join(words[start : start + 6]))
    return taken


async def memory_by_key(client: Any) -> dict[str, int]:
    return {
        key.decode().rpartition("}:")[2]: await client.memory_usage(key, samples=0)
        for key in sorted(await client.keys())
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--queries", type=int, default=50)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="treadle-") as temporary:
        folder = options.folder or Path(temporary, "corpus")
        if not options.folder:
            folder.mkdir()
            write_corpus(folder, options.passages)
        async with connect(f"embedded://{temporary}/redis") as client:
            await measure(client, folder.resolve(), options.queries)


async def measure(client: Any, folder: Path, count: int) -> None:
    meter = Meter(client)
    context = ToolContext(folder, Settings(), client)
    server = await client.info("cpu")
    with meter.measured() as first:
        report = await index([folder], context)
    after = await client.info("cpu")
    with meter.measured() as again:
        await index([folder], context)
    passages = max(report.passages, 1)
    used = [after[name] - server[name] for name in ("used_cpu_user", "used_cpu_sys")]
    print(f"{passages} passages of {report.added} files; {len(report.skipped)} skipped")
    print(f"index: {first.cpu / passages * 1e3:.2f} ms CPU per passage,", end=" ")
    print(f"{sum(used) / passages * 1e3:.2f} ms in Redis; {first.wall:.0f} s in all,", end=" ")
    print(f"{first.round_trips} round trips")
    print(f"again, unchanged: {again.cpu:.1f} s CPU, {again.round_trips} round trips")
    by_key = await memory_by_key(client)
    print(f"Redis: {sum(by_key.values()) / passages:.0f} bytes per passage")
    for key, size in by_key.items():
        print(f"  {key}: {size / passages:.0f}")
    await measure_searches(context, meter, queries(folder, count))


async def measure_searches(context: ToolContext, meter: Meter, asked: list[str]) -> None:
    tool = build_tool("search_documents", context)
    with meter.measured() as cold:
        await tool.ainvoke({"query": asked[0]})
    costs = []
    for query in asked:
        with meter.measured() as cost:
            await tool.ainvoke({"query": query})
        costs.append(cost)
    cpu = sorted(cost.cpu * 1e3 for cost in costs)
    wall = sorted(cost.wall * 1e3 for cost in costs)
    trips = max(cost.round_trips for cost in costs)
    print(f"search, first: {cold.cpu * 1e3:.1f} ms CPU, {cold.round_trips} round trips")
    print(f"search: {np.median(cpu):.1f} ms CPU (worst {cpu[-1]:.1f}),", end=" ")
    print(f"{np.median(wall):.1f} ms wall (worst {wall[-1]:.1f}), {trips} round trips")


if __name__ == "__main__":
    asyncio.run(main())
