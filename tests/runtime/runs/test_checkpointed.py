"""No call is made before the checkpoint that its identity rests on is kept."""

import asyncio
import json

import pytest

from tests.support.models import settings_for
from treadle.core.errors import RedisError, RunError
from treadle.memory import _drivers
from treadle.memory.saver import _behind, _scripts
from treadle.runtime import Runtime
from treadle.runtime.queue import RunOptions, RunRequest
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, say


class Kept:
    """Redis's reply to the first checkpoints: those of the step which asks the model, where all go
    together.
    """

    def __init__(self, monkeypatch):
        self.reached, self.may_come, self.fails = asyncio.Event(), asyncio.Event(), False
        self._count, self._ask = 0, _drivers.AsyncDriver.ask

        async def ask(driver, request):
            reply = await self._ask(driver, request)
            self._count += getattr(request, "script", None) is _scripts._STORE
            if self._count == 1 and not self.reached.is_set():
                self.reached.set()
                await self.may_come.wait()
                if self.fails:
                    raise RedisError("Redis is out of memory.")
            return reply

        monkeypatch.setattr(_drivers.AsyncDriver, "ask", ask)


@pytest.fixture
async def runtime(redis_url, tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text("description: Writes.\n")
    with ScriptedOpenAI(lambda _: say("Hello.")) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as opened:
            yield opened, server


async def test_the_model_is_asked_when_the_checkpoint_is_kept(runtime, monkeypatch):
    opened, server = runtime
    kept = Kept(monkeypatch)
    asking = asyncio.create_task(opened.ask("writer", "Hello?"))
    await kept.reached.wait()
    for _ in range(300):  # Time for a call that would not wait.
        await opened.redis.ping()
    assert not server.requests
    kept.may_come.set()
    assert (await asking).text == "Hello."
    assert len(server.requests) == 1


GRAPH = """
from pathlib import Path
from typing import TypedDict
from langgraph.graph import StateGraph

class State(TypedDict):
    path: str

async def touch(state):
    Path(state["path"]).touch()

graph = StateGraph(State).add_node(touch).set_entry_point("touch").compile()
"""


@pytest.mark.parametrize("durability", ["async", "sync"])
async def test_a_step_that_calls_nothing_waits_where_that_was_asked_for(
    runtime, monkeypatch, tmp_path, durability
):
    opened, _ = runtime
    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "agents" / "touches.yaml").write_text("graph: graph.py:graph\n")
    touched, kept = tmp_path / "touched", Kept(monkeypatch)
    options = RunOptions(durability=durability)
    request = RunRequest("touches", {"path": str(touched)}, options=options)
    worker = opened.worker()
    working = asyncio.create_task(worker.run())
    queued = await opened.queue.submit(request)
    await kept.reached.wait()
    for _ in range(300):
        await opened.redis.ping()
    assert touched.exists() == (durability == "async")
    kept.may_come.set()
    run = await opened.queue.wait(queued.run)
    assert (run.status, touched.exists()) == (RunStatus.SUCCESS, True)
    worker.stop()
    await working


async def test_a_run_whose_checkpoint_was_lost_fails_and_calls_nothing(runtime, monkeypatch):
    opened, server = runtime
    kept = Kept(monkeypatch)
    kept.fails = True
    kept.may_come.set()
    with pytest.raises((RunError, RedisError), match="out of memory"):
        await opened.ask("writer", "Hello?")
    assert not server.requests
    [run] = await opened.runs.recent(1)
    assert "out of memory" in run.error


@pytest.mark.parametrize("keeps", [False, True])
async def test_what_nobody_reads_again_is_not_kept(runtime, monkeypatch, tmp_path, keeps):
    opened, _ = runtime
    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "agents" / "touches.yaml").write_text("graph: graph.py:graph\n")
    monkeypatch.setattr(_behind, "HOLD_SECONDS", 3_600)
    kept = Kept(monkeypatch)
    kept.may_come.set()
    given, options = {"path": str(tmp_path / "touched")}, RunOptions(keep_values=True)
    worker = opened.worker()
    working = asyncio.create_task(worker.run())
    request = RunRequest("touches", given, options=options, keep_thread=keeps)
    run, [_, state] = await opened.queue.outcome((await opened.queue.submit(request)).run, 2)
    worker.stop()
    await working
    assert (run.status, json.loads(state.data)) == (RunStatus.SUCCESS, given)
    assert kept.reached.is_set() is keeps
