"""Schedules as runs: executed by workers, paid from their accounts, with their outcome kept."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.core.limits import Limits
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.schedules import FireStatus, ScheduleSettings
from treadle.runtime.testing import ScriptedOpenAI, call, say

TOOLS = '''
from treadle.tools import Effect, tool

@tool(effect=Effect.ONCE)
def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: to whom.
    """
    return "sent"
'''
AGENT = """\
tools: [schedule_effects.py:send_mail]
policy:
  - tool: "*"
    then: ask
"""


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


@pytest.fixture
def house(redis_url, tmp_path):
    """Return what opens a runtime whose schedules are fired and whose runs are executed."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text("description: Writes.")
    (tmp_path / "agents" / "mailer.yaml").write_text(AGENT)
    (tmp_path / "schedule_effects.py").write_text(TOOLS)

    @asynccontextmanager
    async def open_house(server):
        settings = settings_for(server)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as runtime:
            scheduler, worker = runtime.scheduler(), runtime.worker()
            tasks = [asyncio.create_task(each.run()) for each in (scheduler, worker)]
            try:
                yield runtime
            finally:
                scheduler.stop()
                worker.stop()
                await asyncio.gather(*tasks)

    return open_house


def daily(agent="writer", **told):
    return ScheduleSettings(agent=agent, input="Write it.", cron="0 0 1 1 *", **told)


async def fired(runtime, name, status):
    """Fire now, and return the fire once it stands as it should."""
    id_ = await runtime.schedules.run_now(name)

    async def as_it_should():
        fire = await runtime.schedules.fire(id_)
        return fire if fire.status is status else None

    return await eventually(as_it_should, within_seconds=30, what=f"{id_} is {status}")


async def test_a_fire_is_executed_and_its_outcome_and_cost_are_kept(house):
    with ScriptedOpenAI([say("Written.")]) as server:
        async with house(server) as runtime:
            await runtime.schedules.add("d", daily())
            fire = await fired(runtime, "d", FireStatus.SUCCESS)
            run = await runtime.runs.get(fire.run_id)
            assert (run.status, run.agent) == (RunStatus.SUCCESS, "writer")
            assert run.thread_id == fire.thread_id == fire.id
            assert (fire.usd, fire.tokens) == (run.usage.usd, run.usage.total_tokens)
            assert fire.usd > 0
            assert await runtime.schedules.are_watched()


async def test_a_conversation_of_the_schedules_own(house):
    with ScriptedOpenAI([say("One."), say("Two.")]) as server:
        async with house(server) as runtime:
            await runtime.schedules.add("d", daily(thread="schedule"))
            threads = {(await fired(runtime, "d", FireStatus.SUCCESS)).thread_id for _ in range(2)}
            assert threads == {"schedule:d"}
            said = await runtime.threads.show("schedule:d")
            assert [turn.text for turn in said if turn.role == "assistant"] == ["One.", "Two."]


async def test_the_budget_of_a_month_is_a_wall(house):
    with ScriptedOpenAI([say("Written.")] * 2) as server:
        async with house(server) as runtime:
            await runtime.schedules.add("d", daily(per_month=Limits(model_calls=2)))
            for _ in range(2):
                await fired(runtime, "d", FireStatus.SUCCESS)
            refused = await fired(runtime, "d", FireStatus.REFUSED)
            assert "has a budget of 2 model calls, and 2 model calls are spent" in refused.note
            assert len(server.requests) == 2


async def test_the_budget_of_a_fire_is_a_wall(house):
    with ScriptedOpenAI([]) as server:
        async with house(server) as runtime:
            await runtime.schedules.add("d", daily(budget=Limits(tokens=10)))
            fire = await fired(runtime, "d", FireStatus.SUCCESS)
            assert fire.tokens == 0
            assert fire.note.startswith("budget: the fire's budget of 10 tokens does not allow"), (
                fire.note
            )


async def test_a_run_that_asks_a_person_holds_the_next_until_it_is_answered(house):
    with ScriptedOpenAI([call("send_mail", to="ada@example.org")]) as server:
        async with house(server) as runtime:
            await runtime.schedules.add("d", daily("mailer"))
            waits = await fired(runtime, "d", FireStatus.INTERRUPTED)
            skipped = await fired(runtime, "d", FireStatus.SKIPPED)
            assert skipped.note == "The run before it was not over."
            [approval] = await runtime.approvals.pending()
            assert approval.run_id == waits.run_id
