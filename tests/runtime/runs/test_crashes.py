"""A worker killed at every point of a run: nothing finished is done again, nothing is lost."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import settings_for
from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from treadle.core.calls import CallKind
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

TOOLS = '''
import os
import urllib.request
from treadle.tools import Effect, tool

def post(path, key=""):
    url = os.environ["EFFECTS_URL"] + path
    request = urllib.request.Request(url, data=b"", headers={"X-Key": key}, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()

@tool(effect=Effect.READ)
def read() -> str:
    """Read something."""
    return post("/read")

@tool(effect=Effect.KEYED)
def keyed(idempotency_key: str) -> str:
    """Do something with a key."""
    return post("/keyed", idempotency_key)

@tool(effect=Effect.ONCE)
def once() -> str:
    """Do something once."""
    return post("/once")
'''


class Effects:
    """Counts what the tools did to the world."""

    def __init__(self, url: str, redis: RedisServer) -> None:
        self.url = url
        self._redis = redis
        self.seen: Counter[tuple[str, str]] = Counter()

    def times(self, path: str) -> int:
        return sum(count for (seen, _), count in self.seen.items() if seen == path)

    def restart_redis(self) -> None:
        self._redis.kill()
        self._redis.start()

    def distinct(self, path: str) -> int:
        return sum(1 for seen, _ in self.seen if seen == path)


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


def answer(request):
    match len(request.tool_outputs):
        case 0:
            return calls(call("read"), call("once"))
        case 2:
            return call("keyed")
        case _:
            return say("All done.")


class Worker:
    """Executes runs in a process of its own that can be killed at any point."""

    def __init__(self, folder: Path, redis: RedisServer, effects: Effects, model) -> None:
        self._redis = redis
        (folder / "effects.py").write_text(TOOLS)
        self.settings = settings_for(model)
        self._command = {
            "project": str(folder),
            "redis": redis.url,
            "settings": self.settings.model_dump(mode="json"),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.runs.crash_worker", str(folder / "result")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "EFFECTS_URL": effects.url, "TEST_KEY": model.api_key},
        )

    def run(self, do: str, **options: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {**self._command, "do": do, "kill_at": 0, **options}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def crashes(short_tmp_path: Path, tmp_path: Path):
    """Give a Redis that loses nothing it acknowledged, as the embedded one is run."""
    kept = {"appendonly": "yes", "appendfsync": "always"}
    with (
        running_server(packaged_binary(), short_tmp_path, **kept) as redis,
        counting_server(redis) as effects,
        ScriptedOpenAI(answer) as model,
    ):
        worker = Worker(tmp_path, redis, effects, model)
        try:
            yield Crashes(redis, tmp_path, effects, model, worker)
        finally:
            worker.close()


class Crashes:
    """One run after another, each killed somewhere and taken up again."""

    def __init__(self, redis, folder, effects, model, worker) -> None:
        self.redis = redis
        self.folder = folder
        self.effects = effects
        self.model = model
        self.worker = worker
        self._from = 0

    def begin(self) -> None:
        with self.redis.client() as client:
            client.flushall()
        self.effects.seen.clear()
        self._from = len(self.model.requests)

    def billed(self) -> Counter[int]:
        """Return how often the model was asked with each number of tool results."""
        asked = self.model.requests[self._from :]
        return Counter(len(request.tool_outputs) for request in asked)

    def free_the_thread(self) -> None:
        """Let the lease of the killed process run out now."""
        with self.redis.client() as client:
            client.delete("treadle:main:lock:crash")

    async def state(self) -> tuple[Any, set[int]]:
        """Return the run, if there is one, and which model calls its journal has answers of."""
        async with Runtime.open(
            self.redis.url, self.folder, settings=self.worker.settings
        ) as runtime:
            runs = await runtime.runs.recent()
            if not runs:
                return None, set()
            records = (await runtime.runs.journal(runs[0].id)).calls()
            models = [record for record in records if record.kind is CallKind.MODEL]
            outputs = (0, 2, 3)
            answered = {n for n, record in zip(outputs, models, strict=False) if record.outcome}
            waits = await runtime.runs.interrupts(runs[0].id)
            return (runs[0], waits), answered


async def test_killed_at_every_point_of_a_run(crashes: Crashes) -> None:
    crashes.worker.run("ask")
    crashes.begin()
    whole = crashes.worker.run("ask")
    assert whole.get("status") == "success", whole.get("error", whole)
    assert crashes.billed() == {0: 1, 2: 1, 3: 1}
    assert crashes.effects.times("/once") == 1
    interrupted = 0
    for number in range(1, len(whole["points"]) + 1):
        crashes.begin()
        label = f"point {number}: {whole['points'][number - 1]}"
        assert crashes.worker.run("ask", kill_at=number)["killed"], label
        crashes.free_the_thread()
        interrupted += await taken_up(crashes, label)
    assert interrupted, "no point left the outcome of the effect unknown"


async def test_redis_killed_at_every_point_of_a_run(crashes: Crashes) -> None:
    crashes.worker.run("ask")
    crashes.begin()
    whole = crashes.worker.run("ask")
    for number in range(1, len(whole["points"]) + 1):
        crashes.begin()
        label = f"point {number}: {whole['points'][number - 1]}"
        told = crashes.worker.run("ask", kill_at=number, kills_redis=True)
        assert crashes.effects.times("/restart-redis") == 1, label
        # Clients connect again by themselves; where one does not, the error says whose it is.
        assert told.get("status") == "success" or "RedisError" in told["error"], (label, told)
        crashes.free_the_thread()
        await taken_up(crashes, label)


async def taken_up(crashes: Crashes, label: str) -> bool:
    """Resume the killed run to its end; return whether a person had to be asked."""
    found, answered = await crashes.state()
    if found is None:
        assert not crashes.billed(), label
        return False
    (run, _), before = found, crashes.billed()
    if run.status == "success":
        assert crashes.effects.times("/once") == 1, label
        return False
    told = crashes.worker.run("resume", run=run.id)
    assert "error" not in told, f"{label}: {told.get('error')}"
    waits = told["status"] == "interrupted"
    if waits:
        assert crashes.effects.times("/once") <= 1, label
        told = crashes.worker.run("resume", run=run.id, answers={"outcome": "It was done."})
        assert "error" not in told, f"{label}: {told.get('error')}"
    assert (told["status"], told["text"]) == ("success", "All done."), (label, told)
    assert crashes.effects.times("/once") <= 1, label
    assert waits or crashes.effects.times("/once") == 1, label
    assert crashes.effects.distinct("/keyed") == 1, label
    for outputs, count in crashes.billed().items():
        paid_twice = outputs in answered and count > before[outputs]
        assert not paid_twice, f"{label}: the model call with {outputs} results was paid again"
        assert count <= 2, label
    return waits
