"""A process that executes runs in children of its own, each killed at a point that is asked for.

It reads a JSON command a line: ``{"do": "ask" | "resume", "kill_at": n, ...}``, and answers with
what became of the child. With ``kills_redis`` the child lives on and its Redis is killed and
started again. A point lies before and after each command to Redis, each request to the
model and each request of a tool; point 0 is none. The children are forked, so that they need not
import everything again.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
import urllib.request
from pathlib import Path
from typing import Any

import httpx2
from redis.asyncio.client import Pipeline, Redis

from treadle.agents import Agent
from treadle.core.settings import Settings
from treadle.memory._drivers import AsyncDriver
from treadle.runtime import Runtime

passed: list[str] = []
kill_at = 0
kills_redis = False
request = urllib.request.urlopen

AGENT = Agent(
    name="worker",
    tools=("effects.py:read", "effects.py:keyed", "effects.py:once"),
)


def point(label: str) -> None:
    passed.append(label)
    if len(passed) != kill_at:
        return
    if kills_redis:
        request(os.environ["EFFECTS_URL"] + "/restart-redis", data=b"").close()
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def between_points(owner: Any, name: str, label: Any) -> None:
    original = getattr(owner, name)

    async def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        told = label(arguments)
        point(f"before {told}")
        result = await original(self, *arguments, **options)
        point(f"after {told}")
        return result

    setattr(owner, name, wrapped)


def open_with_points(original: Any) -> Any:
    def wrapped(request: Any, **options: Any) -> Any:
        point(f"before the tool {request.full_url}")
        answer = original(request, **options)
        point(f"after the tool {request.full_url}")
        return answer

    return wrapped


async def work(command: dict[str, Any]) -> dict[str, Any]:
    settings = Settings.model_validate(command["settings"])
    async with Runtime.open(command["redis"], command["project"], settings=settings) as runtime:
        if command["do"] == "ask":
            reply = await runtime.ask(AGENT, "Do it.", thread="crash")
        else:
            reply = await runtime.resume(command["run"], command.get("answers"), agent=AGENT)
        run = await runtime.runs.get(reply.run_id)
        return {"status": run.status.value, "text": reply.text, "stopped": reply.stopped}


def child(command: dict[str, Any], result: Path) -> None:
    global kill_at, kills_redis
    kill_at, kills_redis = command["kill_at"], command.get("kills_redis", False)
    told: dict[str, Any] = {}
    try:
        told = asyncio.run(work(command))
    except BaseException:
        told = {"error": traceback.format_exc()}
    result.write_text(json.dumps({**told, "points": passed}))


def main() -> None:
    between_points(Redis, "execute_command", lambda arguments: f"Redis {arguments[0]}")
    between_points(AsyncDriver, "ask", lambda arguments: "a script in Redis")
    between_points(Pipeline, "execute", lambda arguments: "a Redis pipeline")
    between_points(httpx2.AsyncClient, "send", lambda arguments: "the model")
    urllib.request.urlopen = open_with_points(urllib.request.urlopen)
    result = Path(sys.argv[1])
    for number, line in enumerate(sys.stdin):
        if number == 0:
            asyncio.run(work(json.loads(line)))  # Children need not import it all again.
            passed.clear()
        result.unlink(missing_ok=True)
        process = os.fork()
        if process == 0:
            child(json.loads(line), result)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        told = json.loads(result.read_text()) if result.exists() else {}
        killed = os.WIFSIGNALED(status)
        sys.stdout.write(json.dumps({"killed": killed, **told}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
