"""Going on with a run: once, whoever asks, and only where that is possible."""

import asyncio

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import ModelError, RunError, UnknownNameError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStateError, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, say, server_error

CALCULATOR = Agent(name="calculator", tools=("calculate",))
BROKEN = [call("calculate", expression="2+2"), server_error()]


async def failed(rt):
    """Ask something that fails after its first two calls; return the run."""
    with pytest.raises(ModelError):
        await rt.ask(CALCULATOR, "What is 2+2?", thread="t")
    [run] = await rt.runs.recent()
    assert run.status is RunStatus.ERROR
    return run


async def test_a_failed_run_goes_on_behind_its_last_finished_call(redis_url, tmp_path):
    with ScriptedOpenAI([*BROKEN, say("It is 4.")]) as server:
        settings = settings_for(server)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            run = await failed(rt)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            reply = await rt.resume(run.id, agent=CALCULATOR)
            run = await rt.runs.get(run.id)
            assert (await rt.runs.replay(run.id)).difference is None
        assert len(server.requests) == 3
    assert (reply.text, run.status, run.attempt) == ("It is 4.", RunStatus.SUCCESS, 2)
    assert reply.usage.tool_calls == 1
    assert reply.usage.input_tokens == server.billed.input_tokens


async def test_resumed_twice_at_once_one_goes_on(redis_url, tmp_path):
    with ScriptedOpenAI([*BROKEN, say("It is 4.")]) as server:
        settings = settings_for(server)
        async with (
            Runtime.open(redis_url, tmp_path, settings=settings) as one,
            Runtime.open(redis_url, tmp_path, settings=settings) as two,
        ):
            run = await failed(one)
            ends = await asyncio.gather(
                one.resume(run.id, agent=CALCULATOR),
                two.resume(run.id, agent=CALCULATOR),
                return_exceptions=True,
            )
    assert sorted(type(end).__name__ for end in ends) == ["Reply", "RunStateError"]
    assert len(server.requests) == 3


async def test_what_came_to_its_end_is_not_resumed(redis_url, tmp_path):
    with ScriptedOpenAI([say("Hello.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(CALCULATOR, "Hello?")
            with pytest.raises(RunStateError, match="end already"):
                await rt.resume(reply.run_id, agent=CALCULATOR)
            with pytest.raises(UnknownNameError, match="nobody"):
                await rt.resume("nobody")


async def test_a_thread_that_moved_on_is_not_taken_back(redis_url, tmp_path):
    with ScriptedOpenAI([*BROKEN, say("Hello.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            run = await failed(rt)
            await rt.ask(CALCULATOR, "Hello?", thread="t")
            with pytest.raises(RunStateError, match="moved on"):
                await rt.resume(run.id, agent=CALCULATOR)
            assert (await rt.runs.get(run.id)).status is RunStatus.ERROR


async def test_a_cancelled_run_goes_on(redis_url, tmp_path):
    def answer(request):
        return say("4.") if request.tool_outputs else call("calculate", expression="2+2")

    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            events = rt.stream(CALCULATOR, "What is 2+2?")
            async for event in events:
                if event.type == "call.finished" and event.name == "calculate":
                    break
            await events.aclose()
            [run] = await rt.runs.recent()
            assert run.status is RunStatus.CANCELLED
            reply = await rt.resume(run.id, agent=CALCULATOR)
    assert reply.text == "4."
    assert reply.usage.tool_calls == 1


async def test_a_run_without_its_agent_says_so(redis_url, tmp_path):
    with ScriptedOpenAI(BROKEN) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            run = await failed(rt)
            with pytest.raises((UnknownNameError, RunError), match="calculator"):
                await rt.resume(run.id)
