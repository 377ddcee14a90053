"""Several messages to one thread at once: each strategy as LangGraph's documentation defines it."""

import asyncio

import pytest

from tests.runtime.queue.conftest import submit, working
from tests.support.waiting import eventually
from treadle.runtime.queue import ThreadBusyError
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, hang, say


def heard(request):
    asked = [m["content"] for m in request.messages if m["role"] == "user"]
    return say("I heard: " + " ".join(asked))


def slow_first(request):
    """Never answer the question ``Slow.`` while it is the latest."""
    answer = heard(request)
    return hang(answer) if request.messages[-1]["content"] == "Slow." else answer


async def begun(runtime, server):
    """Queue a run that hangs in its model call."""
    slow = await submit(runtime, "Slow.")
    await eventually(lambda: server.requests)
    return slow


async def said(runtime):
    return [turn.text for turn in await runtime.threads.show("t")]


async def test_ten_messages_at_once_are_answered_one_after_the_other(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            runs = await asyncio.gather(*(submit(runtime, f"{n}.") for n in range(10)))
            ended = [await runtime.queue.wait(queued.run_id) for queued in runs]
            assert {run.status for run in ended} == {RunStatus.SUCCESS}
            turns = await said(runtime)
            questions, answers = turns[::2], turns[1::2]
            assert sorted(questions) == [f"{n}." for n in range(10)]
            # Each answer has seen all the questions before it.
            assert answers == ["I heard: " + " ".join(questions[: n + 1]) for n in range(10)]


async def test_ten_messages_at_once_and_all_but_one_refused(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            slow = await begun(runtime, server)
            answers = await asyncio.gather(
                *(submit(runtime, f"{n}.", multitask="reject") for n in range(9)),
                return_exceptions=True,
            )
            assert all(isinstance(answer, ThreadBusyError) for answer in answers)
            assert len(await runtime.runs.recent()) == 1
            await runtime.queue.cancel(slow.run_id)


async def test_of_ten_that_may_be_refused_at_once_one_is_accepted(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            answers = await asyncio.gather(
                *(submit(runtime, f"{n}.", multitask="reject") for n in range(10)),
                return_exceptions=True,
            )
            [accepted] = [one for one in answers if not isinstance(one, ThreadBusyError)]
            async with working(runtime):
                assert (await runtime.queue.wait(accepted.run_id)).status is RunStatus.SUCCESS
            assert [run.id for run in await runtime.runs.recent()] == [accepted.run_id]


async def test_interrupting_keeps_what_was_done(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            slow = await begun(runtime, server)
            quick = await submit(runtime, "Quick.", multitask="interrupt")
            assert (await runtime.queue.wait(slow.run_id)).status is RunStatus.CANCELLED
            assert (await runtime.queue.wait(quick.run_id)).status is RunStatus.SUCCESS
            assert await said(runtime) == ["Slow.", "Quick.", "I heard: Slow. Quick."]


async def test_rolling_back_undoes_what_was_done(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            first = await submit(runtime, "First.")
            await runtime.queue.wait(first.run_id)
            server.requests.clear()
            slow = await begun(runtime, server)
            quick = await submit(runtime, "Quick.", multitask="rollback")
            assert (await runtime.queue.wait(slow.run_id)).status is RunStatus.CANCELLED
            assert (await runtime.queue.wait(quick.run_id)).status is RunStatus.SUCCESS
            assert await said(runtime) == [
                *("First.", "I heard: First."),
                *("Quick.", "I heard: First. Quick."),
            ]


@pytest.mark.parametrize("multitask", ["interrupt", "rollback"])
async def test_ten_messages_at_once_and_the_last_one_wins(opened, multitask):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            await begun(runtime, server)
            runs = [await submit(runtime, f"{n}.", multitask=multitask) for n in range(10)]
            last = await runtime.queue.wait(runs[-1].run_id)
            assert last.status is RunStatus.SUCCESS
            for queued in runs[:-1]:
                run = await runtime.queue.wait(queued.run_id)
                assert run.status in {RunStatus.CANCELLED, RunStatus.SUCCESS}
            stats = await runtime.queue.stats()
            assert (stats.ready["default"], stats.running["default"]) == (0, 0)
            if multitask == "rollback":
                assert "Slow." not in " ".join(await said(runtime))


async def test_a_waiting_run_is_stopped_at_once(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            first, second = await submit(runtime), await submit(runtime, "Two.")
            stopped = await runtime.queue.cancel(first.run_id)
            assert stopped.status is RunStatus.CANCELLED
            async with working(runtime):
                assert (await runtime.queue.wait(second.run_id)).status is RunStatus.SUCCESS
            assert await said(runtime) == ["Two.", "I heard: Two."]


async def test_a_run_at_work_is_stopped(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            slow = await begun(runtime, server)
            next_one = await submit(runtime, "Next.")
            await runtime.queue.cancel(slow.run_id)
            assert (await runtime.queue.wait(slow.run_id)).status is RunStatus.CANCELLED
            assert (await runtime.queue.wait(next_one.run_id)).status is RunStatus.SUCCESS


async def test_a_run_at_work_is_stopped_and_undone(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            slow = await begun(runtime, server)
            next_one = await submit(runtime, "Next.")
            await runtime.queue.cancel(slow.run_id, rollback=True)
            assert (await runtime.queue.wait(next_one.run_id)).status is RunStatus.SUCCESS
            assert await said(runtime) == ["Next.", "I heard: Next."]


async def test_whoever_is_told_of_a_stop_finds_it_undone(opened):
    with ScriptedOpenAI(slow_first) as server:
        async with opened(server) as runtime, working(runtime):
            await runtime.queue.wait((await submit(runtime, "First.")).run_id)
            before = await said(runtime)
            for _ in range(3):
                server.requests.clear()
                slow = await begun(runtime, server)
                await runtime.queue.cancel(slow.run_id, rollback=True)
                assert (await runtime.queue.wait(slow.run_id)).status is RunStatus.CANCELLED
                assert await said(runtime) == before
