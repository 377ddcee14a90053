"""A worker that stands still for longer than its lease: what it does then counts for nothing."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.core.settings import RunSettings
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, say

TOOLS = '''
import asyncio
from pathlib import Path
from treadle.tools import Effect, tool

HERE = Path(__file__).parent

@tool(effect=Effect.READ)
async def look() -> str:
    """Look at something."""
    with (HERE / "looked").open("a") as file:
        file.write("x")
    while (HERE / "hang").exists():
        await asyncio.sleep(0.005)
    return "seen"

@tool(effect=Effect.ONCE)
async def act() -> str:
    """Do something once."""
    with (HERE / "acted").open("a") as file:
        file.write("x")
    return "acted"
'''
AGENT = Agent(name="worker", tools=("effects.py:look", "effects.py:act"))


def answer(request):
    steps = (call("look"), call("act"), say("Done."))
    return steps[len(request.tool_outputs)]


@pytest.fixture
def frozen(redis_url, tmp_path):
    """Give a worker in the middle of a call, not moving; and the settings it works with."""
    (tmp_path / "effects.py").write_text(TOOLS)
    (tmp_path / "hang").touch()
    with ScriptedOpenAI(answer) as server:
        settings = settings_for(server).model_copy(update={"runs": RunSettings(lease_seconds=1)})
        command = {
            "redis": redis_url,
            "project": str(tmp_path),
            "settings": settings.model_dump(mode="json"),
            "agent": AGENT.model_dump(mode="json"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.runs.frozen_worker", json.dumps(command)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TEST_KEY": server.api_key},
        )
        try:
            yield process, settings
        finally:
            process.kill()
            process.communicate()


async def test_a_worker_that_comes_back_changes_nothing(frozen, redis_url, tmp_path):
    process, settings = frozen
    await eventually((tmp_path / "looked").exists, within_seconds=120)
    process.send_signal(signal.SIGSTOP)
    (tmp_path / "hang").unlink()
    async with Runtime.open(redis_url, tmp_path, settings=settings) as runtime:
        [run] = await runtime.runs.recent()
        reply = await runtime.resume(run.id, agent=AGENT)
        before = await runtime.runs.export(run.id)
        process.send_signal(signal.SIGCONT)
        ended, _ = process.communicate(timeout=30)
        after = await runtime.runs.export(run.id)
        turns = await runtime.threads.show("t")
    assert ended in {"FencedError", "RunError"}
    assert (reply.text, after.journal.run["status"]) == ("Done.", RunStatus.SUCCESS)
    assert after.journal == before.journal
    assert [turn.text for turn in turns].count("Done.") == 1
    assert (tmp_path / "acted").read_text() == "x"
