"""A process that executes runs in children of its own, each killed at a point that is asked for.

It reads a JSON command a line: ``{"do": "ask" | "resume" | "submit" | "serve", "graph": name,
"kill_at": n, ...}``, and answers with what became of the child. To submit and to serve is done
beside a worker of the same process, as a server does it. With ``kills_redis`` the child lives on
and its Redis is killed and started again.

A point lies right behind each change of the world: of what Redis holds (as the server counts its
changes), a request to the model, a request of a tool. Point 0 is none. Whatever else a process does
between two points, a kill there leaves the same behind, so these points are all there are.

The children are forked, so that they need not import everything again.
"""

import asyncio
import functools
import gc
import json
import os
import signal
import socket
import ssl
import sys
import traceback
import urllib.request
from pathlib import Path
from typing import Any

import hiredis
import httpx2
from langchain_openai.chat_models import _client_utils

from treadle.agents import Agent
from treadle.core.settings import Settings
from treadle.runtime import ModelSettings, Runtime
from treadle.runtime.queue import RunOptions, RunRequest

AGENTS = {
    "react": Agent(name="react", tools=("effects.py:read", "effects.py:keyed", "effects.py:once")),
    "yaml": Agent(
        name="yaml", graph="flow", tools=("effects.py:read", "effects.py:keyed", "effects.py:once")
    ),
    "chain_of_thought": Agent(name="thinker", graph="chain_of_thought"),
    "foreign": Agent(name="foreign", graph="effects.py:foreign"),
    "subgraph": Agent(name="subgraph", graph="effects.py:subgraph"),
    "plain": Agent(name="plain", graph="effects.py:plain"),
}

TEMPERATURE = 0.25
ASKED = ModelSettings(temperature=TEMPERATURE)
"""What the runs' models are given, where they take it."""

BEHIND_REDIS = "behind Redis"

request = urllib.request.urlopen


class Points:
    """Counts the changes of the world, and kills where it is told to.

    Args:
        command: what was asked for.
        result: where to leave word before the end.
    """

    def __init__(self, command: dict[str, Any], result: Path) -> None:
        self._kill_at = command["kill_at"]
        self._kills_redis = command.get("kills_redis", False)
        self._result = result
        self._redis = socket.socket(socket.AF_UNIX)
        self._redis.connect(command["redis"].removeprefix("unix://"))
        self._changes = self._counted()
        self.passed: list[str] = []

    def asked_redis(self) -> None:
        if self._kills_redis and len(self.passed) >= self._kill_at:
            return  # It counts anew.
        changes = self._counted()
        if changes != self._changes:
            self._changes = changes
            self.point(BEHIND_REDIS)

    def point(self, label: str) -> None:
        self.passed.append(label)
        if len(self.passed) != self._kill_at:
            return
        self._result.write_text(json.dumps({"points": self.passed}))
        if self._kills_redis:
            request(os.environ["EFFECTS_URL"] + "/restart-redis", data=b"").close()
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self) -> int:
        """Ask in the plainest way: this is done behind every command."""
        self._redis.sendall(b"INFO persistence\r\n")
        told = self._redis.recv(65_536)
        return int(told.partition(b"rdb_changes_since_last_save:")[2].partition(b"\r")[0])


class Now:
    """What counts in this process."""

    points: Points | None = None


class WatchingReader(hiredis.Reader):
    """Looks for a change whenever Redis has answered, whichever connection was asked.

    Every reply passes through here, however commands are sent. Those that went in one write are
    told apart by nobody: a process that is killed has sent all of them or none.
    """

    def gets(self, *arguments: Any) -> Any:
        reply = super().gets(*arguments)
        if Now.points is not None and reply is not False:
            Now.points.asked_redis()
        return reply


def behind_the_model(owner: Any, *, is_async: bool) -> None:
    original = owner.send

    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = original(self, *arguments, **options)
        if Now.points is not None:
            Now.points.point("behind the model")
        return answer

    async def asend(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = await original(self, *arguments, **options)
        if Now.points is not None:
            Now.points.point("behind the model")
        return answer

    owner.send = asend if is_async else send


def behind_a_tool(asked: Any, **options: Any) -> Any:
    answer = request(asked, **options)
    if Now.points is not None:
        Now.points.point(f"behind the tool {asked.full_url.rpartition('/')[2]}")
    return answer


async def work(command: dict[str, Any]) -> dict[str, Any]:
    settings = Settings.model_validate(command["settings"])
    agent = AGENTS[command["graph"]]
    async with Runtime.open(command["redis"], command["project"], settings=settings) as runtime:
        given = ASKED if "temperature" in runtime.settings_taken(agent) else None
        thread = command["graph"]
        if command["do"] in {"submit", "serve"}:
            return await serve(runtime, command, given)
        if command["do"] == "ask":
            reply = await runtime.ask(agent, "Do it.", thread=thread, model_settings=given)
        else:
            reply = await runtime.resume(command["run"], command.get("answers"), agent=agent)
        run = await runtime.runs.get(reply.run_id)
        return {"status": run.status.value, "text": reply.text}


async def serve(
    runtime: Runtime, command: dict[str, Any], given: ModelSettings | None
) -> dict[str, Any]:
    """Execute a run beside a worker: one that is submitted now, or that was before."""
    worker = runtime.worker()
    working = asyncio.create_task(worker.run())
    while worker not in runtime.queue.workers:  # noqa: ASYNC110 - a turn or two
        await asyncio.sleep(0)
    run_id = command.get("run")
    if command["do"] == "submit":
        options = RunOptions(model_settings=given) if given else RunOptions()
        graph = command["graph"]
        request = RunRequest(graph, "Do it.", thread_id=graph, options=options)
        run_id = (await runtime.queue.submit(request)).run_id
    run = await runtime.queue.wait(run_id)
    worker.stop()
    await working
    said = [turn.text for turn in await runtime.threads.show(run.thread_id)]
    is_queued = await runtime.queue.place(run.id) is not None
    return {"status": run.status.value, "text": said[-1], "is_queued": is_queued}


def child(command: dict[str, Any], result: Path) -> None:
    points = Now.points = Points(command, result)
    told: dict[str, Any] = {}
    try:
        told = asyncio.run(work(command))
    except BaseException:
        told = {"error": traceback.format_exc()}
    result.write_text(json.dumps({**told, "points": points.passed}))


def answered(line: str, result: Path) -> dict[str, Any]:
    """Execute a command in a child, and tell what became of it."""
    result.unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        child(json.loads(line), result)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    told = json.loads(result.read_text()) if result.exists() else {}
    return {"killed": os.WIFSIGNALED(status), **told}


async def warm_up(command: dict[str, Any]) -> None:
    """Do what children then need not: import, read certificates, make pydantic's validators."""
    ssl.create_default_context = functools.cache(ssl.create_default_context)
    for graph in AGENTS:
        await work({**command, "do": "ask", "graph": graph})
    # LangChain's models share connections, which children must not; collected, they are closed.
    _client_utils._cached_async_httpx_client.cache_clear()
    _client_utils._cached_sync_httpx_client.cache_clear()
    gc.collect()
    closing = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*closing)


def main() -> None:
    hiredis.Reader = WatchingReader
    behind_the_model(httpx2.AsyncClient, is_async=True)
    behind_the_model(httpx2.Client, is_async=False)
    urllib.request.urlopen = behind_a_tool
    for number, line in enumerate(sys.stdin):
        if number == 0:
            asyncio.run(warm_up(json.loads(line)))
            gc.freeze()
        sys.stdout.write(json.dumps(answered(line, Path(sys.argv[1]))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
