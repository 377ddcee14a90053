"""A runtime with one graph and a Redis of its own, as the benchmarks of the queue use it."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from treadle.runtime import Runtime


@dataclass(frozen=True)
class Opened:
    """What a benchmark works with."""

    runtime: Runtime
    redis: RedisServer
    project: Path


@asynccontextmanager
async def opened(name: str, graph: str) -> AsyncIterator[Opened]:
    """Open a runtime whose one agent is a graph.

    Args:
        name: the agent's name.
        graph: the source of a module that defines the graph as ``graph``.
    """
    os.environ.setdefault("TEST_KEY", "")
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        project = Path(folder) / "project"
        (project / "agents").mkdir(parents=True)
        (project / f"{name}.py").write_text(graph)
        (project / "agents" / f"{name}.yaml").write_text(f"graph: {name}.py:graph\n")
        with running_server(packaged_binary(), Path(folder) / "redis") as redis:
            async with Runtime.open(redis.url, project) as runtime:
                yield Opened(runtime, redis, project)
