"""A question stopped at any moment: the thread is free, the run says so and can go on."""

import asyncio

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say

CALCULATOR = Agent(name="calculator", tools=("calculate",))


def answer(request):
    return say("It is 4.") if request.tool_outputs else call("calculate", expression="2+2")


async def is_stopped(asking, turns):
    """Stop a question after so many turns of the event loop; return whether it was in time."""
    task = asyncio.ensure_future(asking)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    [end] = await asyncio.gather(task, return_exceptions=True)
    return isinstance(end, asyncio.CancelledError)


async def test_stopped_at_any_moment(redis_url, redis_6_2, tmp_path):
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            turns, went_on = 1, 0
            while await is_stopped(rt.ask(CALCULATOR, "What is 2+2?", thread=f"t{turns}"), turns):
                with redis_6_2.client() as client:
                    assert not client.exists(f"treadle:main:{{t{turns}}}:lock"), turns
                for run in await rt.runs.recent(thread=f"t{turns}"):
                    assert run.status in {RunStatus.CANCELLED, RunStatus.SUCCESS}, turns
                    if run.status is RunStatus.CANCELLED:
                        went_on += 1
                        reply = await rt.resume(run.id, agent=CALCULATOR)
                        assert (reply.text, reply.usage.tool_calls) == ("It is 4.", 1), turns
                turns += 1 + turns // 10
            assert (await rt.ask(CALCULATOR, "Again?", thread="t1")).text == "It is 4."
    assert went_on


async def test_stopped_while_it_waits_for_the_thread(redis_url, tmp_path):
    with ScriptedOpenAI([hang(say("Slow.")), say("Two.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            first = asyncio.create_task(rt.ask(CALCULATOR, "One?", thread="t"))
            await eventually(lambda: server.requests)
            second = asyncio.create_task(rt.ask(CALCULATOR, "Two?", thread="t"))
            await eventually(lambda: _waiting(rt))
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            [waited] = [run for run in await rt.runs.recent() if run.question == "Two?"]
            assert (waited.status, waited.attempt) == (RunStatus.CANCELLED, 0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert (await rt.resume(waited.id, agent=CALCULATOR)).text == "Two."


async def _waiting(rt):
    return await rt.runs.recent(status=RunStatus.PENDING)
