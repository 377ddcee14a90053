"""A run that a worker takes as it is submitted has begun by then, and leaves as it ends."""

import asyncio
from contextlib import asynccontextmanager
from threading import Event

import pytest

from tests.runtime.queue.conftest import submit, working
from tests.support.waiting import eventually
from treadle.core.errors import InputError
from treadle.runtime._execution import Executor
from treadle.runtime._preparing import Preparation
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, say

LOCK = "treadle:main:{t}:lock"


class Answers:
    """Answers at once, but to who says "Long." or "Held."; each waits until it may go on."""

    def __init__(self):
        self.may_go_on, self.may_let_go = Event(), Event()

    def __call__(self, request):
        said = request.messages[-1]["content"]
        if said == "Long.":
            self.may_go_on.wait(60)
        if said == "Held.":
            self.may_let_go.wait(60)
        return say("Done.")


@pytest.fixture
def answers():
    made = Answers()
    yield made
    made.may_go_on.set()
    made.may_let_go.set()


@asynccontextmanager
async def waiting(opened, answers, monkeypatch, **settings):
    """Open a runtime whose only slot is taken just after a run began that is to have it."""
    with ScriptedOpenAI(answers) as server:
        settings = {"drain_seconds": 0, "runs": {"concurrent": 1, **settings}}
        async with opened(server, **settings) as runtime:
            monkeypatch.setattr(Executor, "has_slot", True)
            asked = asyncio.create_task(runtime.ask("counter", "Long.", thread="other"))
            await eventually(lambda: _is_asked(server))
            yield runtime
            answers.may_go_on.set()
            await asked


async def _is_asked(server):
    return len(server.requests) == 1


async def _is_there(runtime):
    return runtime.queue.workers and (await runtime.queue.stats()).workers["default"] == 1


async def test_it_has_begun_when_it_was_submitted_and_left_when_it_ended(opened, answers):
    with ScriptedOpenAI(answers) as server:
        async with opened(server) as runtime, working(runtime):
            await eventually(lambda: _is_there(runtime))
            queued = await submit(runtime, "Long.")
            run = await runtime.runs.get(queued.run_id)
            assert (run.status, run.attempt) == (RunStatus.RUNNING, 1)
            assert await runtime.is_busy("t")
            answers.may_go_on.set()
            run = await runtime.queue.wait(run)
            # Nobody looked after the queue or the lock in between.
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 1)
            assert (await runtime.queue.place(run.id), await runtime.is_busy("t")) == (None, False)


async def test_the_next_of_a_thread_follows_at_once(opened, answers):
    with ScriptedOpenAI(answers) as server:
        async with opened(server) as runtime, working(runtime):
            await eventually(lambda: _is_there(runtime))
            runs = [await submit(runtime, words) for words in ("Long.", "Two.", "Three.")]
            answers.may_go_on.set()
            ended = [await runtime.queue.wait(queued.run_id) for queued in runs]
            assert [(run.status, run.attempt) for run in ended] == [(RunStatus.SUCCESS, 1)] * 3


async def test_it_does_not_begin_while_others_have_all_slots(opened, answers):
    with ScriptedOpenAI(answers) as server:
        async with opened(server, runs={"concurrent": 1}) as runtime, working(runtime):
            asked = asyncio.create_task(runtime.ask("counter", "Long.", thread="other"))
            await eventually(lambda: _is_asked(server))
            queued = await submit(runtime)
            run = await runtime.runs.get(queued.run_id)
            assert (run.status, run.attempt) == (RunStatus.PENDING, 0)
            assert not await runtime.is_busy("t")
            answers.may_go_on.set()
            await asked
            assert (await runtime.queue.wait(run)).status is RunStatus.SUCCESS


async def test_one_that_is_stopped_before_its_turn_frees_its_thread(opened, answers, monkeypatch):
    async with waiting(opened, answers, monkeypatch) as runtime, working(runtime):
        await eventually(lambda: _is_there(runtime))
        queued = await submit(runtime)
        await runtime.queue.cancel(queued.run_id)
        run = await runtime.queue.wait(queued.run_id)
        assert (run.status, run.error) == (RunStatus.CANCELLED, "It was stopped.")
        await eventually(lambda: _is_gone(runtime, run.id))
        assert not await runtime.is_busy("t")


async def _is_gone(runtime, run_id):
    return await runtime.queue.place(run_id) is None


async def test_one_that_is_handed_over_before_its_turn_is_executed(opened, answers, monkeypatch):
    async with waiting(opened, answers, monkeypatch) as runtime:
        async with working(runtime):
            await eventually(lambda: _is_there(runtime))
            queued = await submit(runtime)
        assert not await runtime.is_busy("t")
        answers.may_go_on.set()
        async with working(runtime):
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)


async def test_one_that_waits_longer_than_its_lock_holds_is_executed(opened, answers, monkeypatch):
    async with waiting(opened, answers, monkeypatch, lease_seconds=1) as runtime, working(runtime):
        await eventually(lambda: _is_there(runtime))
        queued = await submit(runtime, "Held.")
        assert await runtime.redis.exists(LOCK)
        await eventually(lambda: _is_lapsed(runtime))
        answers.may_go_on.set()
        await eventually(lambda: runtime.is_busy("t"))  # It holds its thread again.
        answers.may_let_go.set()
        run = await runtime.queue.wait(queued.run_id)
        assert (run.status, run.attempt) == (RunStatus.SUCCESS, 1)


async def _is_lapsed(runtime):
    return not await runtime.redis.exists(LOCK)


async def test_one_that_cannot_be_prepared_fails_and_frees_its_thread(opened, answers, monkeypatch):
    async def claimed(*_):
        raise InputError("Its file is gone.")

    with ScriptedOpenAI(answers) as server:
        async with opened(server) as runtime, working(runtime):
            await eventually(lambda: _is_there(runtime))
            monkeypatch.setattr(Preparation, "claimed", claimed)
            run = await runtime.queue.wait((await submit(runtime)).run_id)
            assert (run.status, run.error) == (RunStatus.ERROR, "Its file is gone.")
            assert not await runtime.is_busy("t")
