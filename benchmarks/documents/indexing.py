"""Index 2,000 files of the installed Python's library, kill it in the middle, go on, search.

    python benchmarks/documents/indexing.py [--files 2000] [--queries 200]

Redis is the embedded server, in a temporary folder. What is indexed are copies, so that one can
change.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import signal
import sys
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from treadle.core.settings import Settings
from treadle.memory import connect
from treadle.tools import ToolContext, build_tool
from treadle.tools.documents import IndexReport, _indexing, index, indexed_files


def copy_library(folder: Path, count: int) -> int:
    """Copy files of the library, the standard ones first; returns their bytes."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(library.rglob("*.py"), key=lambda path: ("site-packages" in path.parts, path))
    total = 0
    for path in files[:count]:
        # A folder of that name is passed over when it is found in a project.
        target = folder / str(path.relative_to(library)).replace("site-packages", "packages")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        total += path.stat().st_size
    return total


class Opened:
    """Counts the files that are opened."""

    def __init__(self) -> None:
        self.count = 0
        self._load = _indexing.load
        _indexing.load = self._counted

    def _counted(self, path: Path) -> bytes:
        self.count += 1
        return self._load(path)


async def measured(context: ToolContext, opened: Opened, told: str, size: int) -> IndexReport:
    before, wall, cpu = opened.count, time.perf_counter(), time.process_time()
    report = await index(["library"], context)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    read = opened.count - before
    rate = f", {read / wall:.0f} files/s, {size / 1e6 / wall:.2f} MB/s" if read > 100 else ""
    print(
        f"{told}: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{read} opened; {wall:.1f} s, {cpu:.1f} s CPU{rate}"
    )
    return report


async def killed_in_the_middle(context: ToolContext, project: Path, url: str, files: int) -> None:
    """Run the same in a process of its own, and kill it once half of the files are in."""
    command = [sys.executable, __file__, "--child", str(project), "--url", url]
    child = await asyncio.create_subprocess_exec(*command)
    done = 0
    while child.returncode is None and done < files // 2:
        await asyncio.sleep(0.05)
        done = len(await indexed_files(context))
    child.send_signal(signal.SIGKILL)
    await child.wait()
    print(f"killed: {len(await indexed_files(context))} files were in")


async def searches(context: ToolContext, folder: Path, count: int) -> None:
    chance = random.Random(11)
    files = sorted(folder.rglob("*.py"))
    tool = build_tool("search_documents", context)
    seconds = []
    for path in chance.choices(files, k=count):
        words = path.read_text(errors="replace").split() or ["nothing"]
        start = chance.randrange(max(1, len(words) - 6))
        began = time.perf_counter()
        await tool.ainvoke({"query": " ".join(words[start : start + 6])})
        seconds.append(time.perf_counter() - began)
    milliseconds = np.array(seconds) * 1e3
    p50, p95 = np.percentile(milliseconds, [50, 95])
    print(f"search: p50 {p50:.1f} ms, p95 {p95:.1f} ms over {count} queries")


async def run(options: argparse.Namespace, project: Path, url: str) -> None:
    size = copy_library(project / "library", options.files)
    opened = Opened()
    async with connect(url) as client:
        context = ToolContext(project, Settings(), client)
        await killed_in_the_middle(context, project, url, options.files)
        await measured(context, opened, "gone on with", size)
        await measured(context, opened, "again, nothing changed", size)
        (project / "library" / "abc.py").write_text("changed = True\n")
        await measured(context, opened, "again, one changed", size)
        fresh = ToolContext(project, Settings(tenant="fresh"), client)
        report = await measured(fresh, opened, "all of it, from nothing", size)
        await searches(fresh, project / "library", options.queries)
        used = await held(client, "treadle:fresh:*")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{report.passages} passages of {size / 1e6:.1f} MB; in Redis {used / 1e6:.1f} MB; "
        f"the process at most {peak:.0f} MB"
    )


async def held(client: Any, pattern: str) -> int:
    return sum([await client.memory_usage(key, samples=0) for key in await client.keys(pattern)])


async def child(project: Path, url: str) -> None:
    async with connect(url) as client:
        await index(["library"], ToolContext(project, Settings(), client))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        asyncio.run(child(options.child, options.url))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with TemporaryDirectory(prefix="treadle-") as temporary:
        project = Path(temporary, "project")
        project.mkdir()
        asyncio.run(run(options, project, f"embedded://{temporary}/redis"))


if __name__ == "__main__":
    main()
