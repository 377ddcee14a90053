"""Runs that are killed and taken up again, and what must be true of them each time."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis.asyncio

from tests.runtime.runs.crash_worker import AGENTS, BEHIND_REDIS, TEMPERATURE
from tests.support.models import settings_for
from tests.support.redis_servers import RedisServer
from treadle.core.calls import CallKind
from treadle.runtime.runs import Run, RunStore
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

TOLD = {"outcome": "It was done."}
"""What a person says became of the effect."""

PROJECT = Path(__file__).parent / "crash_project"


class Effects:
    """Counts what the tools did to the world."""

    def __init__(self, url: str, redis: RedisServer) -> None:
        self.url = url
        self._redis = redis
        self.seen: Counter[tuple[str, str]] = Counter()

    def times(self, path: str) -> int:
        return sum(count for (seen, _), count in self.seen.items() if seen == path)

    def distinct(self, path: str) -> int:
        return sum(1 for seen, _ in self.seen if seen == path)

    def restart_redis(self) -> None:
        self._redis.kill()
        self._redis.start()


@contextmanager
def counting_server(redis: RedisServer) -> Iterator[Effects]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path == "/restart-redis":
                effects.restart_redis()
            effects.seen[self.path, self.headers["X-Key"] or ""] += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    effects = Effects(f"http://127.0.0.1:{server.server_address[1]}", redis)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield effects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(request: Any) -> Any:
    """Call a tool of each effect, two of them side by side, where there are tools."""
    if not request.tool_names:
        return say("All done.")
    match len(request.tool_outputs):
        case 0:
            return calls(call("read"), call("once"))
        case 2:
            return call("keyed")
        case _:
            return say("All done.")


class Worker:
    """Executes runs in processes that can be killed at any point."""

    def __init__(self, folder: Path, redis: RedisServer, effects: Effects, model: Any) -> None:
        self._command = {
            "project": str(PROJECT),
            "redis": redis.url,
            "settings": settings_for(model).model_dump(mode="json"),
        }
        environment = {
            "EFFECTS_URL": effects.url,
            "TEST_KEY": model.api_key,
            "OPENAI_API_KEY": model.api_key,
            "OPENAI_BASE_URL": model.base_url,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.runs.crash_worker", str(folder / "result")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def run(self, do: str, graph: str, **options: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {**self._command, "do": do, "graph": graph, "kill_at": 0, **options}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate()


@dataclass(frozen=True)
class Left:
    """What a kill left behind.

    Attributes:
        run: the run; ``None`` when it had not been accepted.
        answered: how many calls of the model have their answers in the journal.
        billed: how often the model was asked.
    """

    run: Run | None
    answered: int
    billed: int


class Crashes:
    """One run after another of one graph, each killed somewhere and taken up again."""

    def __init__(
        self,
        graph: str,
        *,
        redis: RedisServer,
        effects: Effects,
        model: ScriptedOpenAI,
        worker: Worker,
    ) -> None:
        self.graph = graph
        self.effects = effects
        self._redis = redis
        self._model = model
        self._worker = worker
        self._from = 0
        self._worker.run("ask", graph)
        whole = self.asked()
        assert whole.get("status") == "success", whole.get("error", whole)
        self.text = whole["text"]
        self.points = whole["points"]
        seen = self.points.count(BEHIND_REDIS)
        assert seen > len(self.points) / 2, "what Redis is asked passes by those who count"
        self.bill = self._billed()
        self.usual = {path: effects.times(path) for path in ("/read", "/keyed", "/once")}
        assert max(self.usual.values()) <= 1

    def asked(self, **options: Any) -> dict[str, Any]:
        """Ask in an empty world."""
        return self._first("ask", **options)

    def submitted(self, **options: Any) -> dict[str, Any]:
        """Submit in an empty world, to a worker of the same process."""
        return self._first("submit", **options)

    def _first(self, do: str, **options: Any) -> dict[str, Any]:
        with self._redis.client() as client:
            client.flushall()
        self.effects.seen.clear()
        self._from = len(self._model.requests)
        return self._worker.run(do, self.graph, **options)

    def resumed(self, left: Left, **options: Any) -> dict[str, Any]:
        """Take the run up again, when the lease of the killed process has run out."""
        assert left.run is not None
        with self._redis.client() as client:
            for lock in client.scan_iter("*:lock"):
                client.delete(lock)
        return self._worker.run("resume", self.graph, run=left.run.id, **options)

    def served(self, left: Left) -> dict[str, Any]:
        """Let another worker work, when the leases of the killed process have run out."""
        assert left.run is not None
        with self._redis.client() as client:
            for lock in client.scan_iter("*:lock"):
                client.delete(lock)
            for name in ("leases:default", "announced"):
                zset = f"treadle:main:{{queue}}:{name}"
                for run_id in client.zrange(zset, 0, -1):
                    client.zadd(zset, {run_id: 1})
        return self._worker.run("serve", self.graph, run=left.run.id)

    async def left(self) -> Left:
        """Look at what is left, and check that nothing is there twice."""
        client = redis.asyncio.Redis.from_url(self._redis.url)
        try:
            store = RunStore(client, "treadle:main:", timedelta(days=1))
            runs = [run async for run in store.newest(1)]
            records = (await store.journal(runs[0])).calls() if runs else []
        finally:
            await client.aclose()
        models = [one for one in records if one.kind is CallKind.MODEL]
        assert self.effects.times("/once") <= 1
        assert self.effects.distinct("/keyed") <= 1
        answered = sum(one.outcome is not None for one in models)
        return Left(runs[0] if runs else None, answered, self._billed())

    async def finish(self, left: Left, *, waits: bool = False) -> bool:
        """Take the run up to its end; return whether a person had to be asked, now or before."""
        if left.run is None:
            assert not left.billed
            return False
        told: dict[str, Any] = {"status": left.run.status.value, "text": self.text}
        for _ in range(3):
            if told["status"] == "success":
                break
            waits = waits or told["status"] == "interrupted"
            answers = TOLD if told["status"] == "interrupted" else None
            told = self.resumed(left, answers=answers)
            assert "error" not in told, told["error"]
        assert (told["status"], told["text"]) == ("success", self.text)
        end = await self.left()
        assert end.answered == self.bill
        # What was answered is not paid again; what was not is paid once.
        assert end.billed - left.billed == self.bill - left.answered
        # Whoever goes on with the run gives its models what it was asked for with.
        given = None if ":" in AGENTS[self.graph].graph else TEMPERATURE
        sent = [request.body.get("temperature") for request in self._model.requests[self._from :]]
        assert sent == [given] * self._billed()
        assert waits or self.effects.times("/once") == self.usual["/once"]
        assert self.effects.distinct("/keyed") == self.usual["/keyed"]
        return waits

    def _billed(self) -> int:
        return len(self._model.requests) - self._from
