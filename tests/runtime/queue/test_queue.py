"""Queued runs: accepted once, executed in their thread's order, waited for without asking."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.runtime.queue.conftest import submit, working
from tests.support.waiting import eventually
from treadle.agents import Budget
from treadle.core.errors import InputError, RedisError, UnknownNameError
from treadle.core.usage import Usage
from treadle.memory.scripts import driver_of
from treadle.runtime.journal import EntryType
from treadle.runtime.queue import RunOptions, RunRequest
from treadle.runtime.queue._board import Board
from treadle.runtime.runs import RunStateError, RunStatus, RunStore
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say, server_error, unauthorized


def heard(request):
    """Answer with all that was asked on the thread so far."""
    asked = [m["content"] for m in request.messages if m["role"] == "user"]
    return say(" ".join(asked))


async def test_a_run_is_executed_and_waited_for(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime)
            assert (queued.is_new, queued.run.status) == (True, RunStatus.PENDING)
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, run.attempt, run.usage.model_calls) == (RunStatus.SUCCESS, 1, 1)
            said = [turn.text for turn in await runtime.threads.show("t")]
            assert said == ["One.", "One."]


async def test_runs_of_a_thread_come_one_after_the_other(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            runs = [await submit(runtime, f"{n}.") for n in range(10)]
            for queued in runs:
                assert (await runtime.queue.wait(queued.run_id)).status is RunStatus.SUCCESS
            answers = [turn.text for turn in await runtime.threads.show("t")][1::2]
            assert answers == [" ".join(f"{n}." for n in range(k + 1)) for k in range(10)]


async def test_a_free_worker_of_the_same_process_takes_a_run_as_it_is_submitted(
    opened, monkeypatch
):
    claimed = []

    async def claim(board, *words):
        found = await claims(board, *words)
        claimed.extend(job.run_id for job in found.jobs)
        return found

    claims = Board.claim
    monkeypatch.setattr(Board, "claim", claim)
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime) as worker:
            await eventually(lambda: _is_idle(runtime, worker))
            queued = await submit(runtime)
            again = await submit(runtime, "Two.", key="order 11")
            for run_id in (queued.run_id, again.run_id):
                assert (await runtime.queue.wait(run_id)).status is RunStatus.SUCCESS
            # Whoever sends a key twice could not be told from the worker.
            assert claimed == [again.run_id]


async def _is_idle(runtime, worker):
    stats = await runtime.queue.stats()
    return stats.workers["default"] == 1 and worker in runtime.queue.workers and not worker.busy


async def test_taking_runs_keeps_to_the_places_of_a_worker(opened):
    at_work = []

    def seen(request):
        at_work.append(runtime.queue.workers[0].busy)
        return heard(request)

    with ScriptedOpenAI(seen) as server:
        async with opened(server) as runtime, working(runtime, concurrency=3):
            words = [f"{n}." for n in range(20)]
            queued = await asyncio.gather(*(submit(runtime, w, f"t{w}"[:-1]) for w in words))
            for each in queued:
                run = await runtime.queue.wait(each.run_id)
                assert (run.status, run.attempt) == (RunStatus.SUCCESS, 1)
    assert max(at_work) == 3


@pytest.mark.parametrize(
    "asked",
    [
        "Hello.",
        {"messages": [("user", "Hello.")], "n": 1, "more": {"a": [1, None]}},
        {"n": 1.5, "moment": datetime(2026, 1, 2, tzinfo=UTC), "pair": (1, 2)},
        None,
    ],
)
async def test_a_run_that_is_taken_is_the_one_that_was_written_down(opened, asked):
    options = RunOptions(tags=("a",), metadata={"b": 1})
    request = RunRequest("counter", asked, thread_id="t", options=options, changes={"prompt": "P"})
    with ScriptedOpenAI([]) as server:
        async with opened(server) as runtime:
            queue = runtime.queue
            run, given = queue._preparation.requested(request, queue._prefix, queue._keep)
            calls, accepted = await queue._preparation.accepting(run, given, request)
            for call_ in calls:
                await driver_of(runtime.redis, "test").ask(call_)
            assert await queue._store.accepted(run.id, run.thread_id) == accepted


async def test_what_is_queued_waits_for_a_worker(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            queued = await submit(runtime)
            stats = await runtime.queue.stats()
            assert (stats.ready, stats.workers) == ({"default": 1}, {"default": 0})
            async with working(runtime):
                assert (await runtime.queue.wait(queued.run_id)).status is RunStatus.SUCCESS
            assert (await runtime.queue.stats()).ready == {"default": 0}


async def test_the_same_key_makes_one_run(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            found = await asyncio.gather(*(submit(runtime, key="order 7") for _ in range(50)))
            assert len({one.run_id for one in found}) == 1
            assert sum(one.is_new for one in found) == 1
            await runtime.queue.wait(found[0].run_id)
            again = await submit(runtime, key="order 7")
            assert (again.is_new, again.run.status) == (False, RunStatus.SUCCESS)
            assert len(server.requests) == 1


async def test_a_key_whose_thread_was_forgotten_makes_a_new_run(opened, redis_6_2):
    budget = Budget(model_calls=1, tokens=100_000)
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            for asked in ("My PIN is 7261.", "What is my PIN?"):
                made = await submit(runtime, asked, key="order 7", budget=budget)
                assert made.is_new
                run = await runtime.queue.wait(made.run_id)
                # Nothing of the run before: it may spend its whole budget.
                assert (run.status, run.usage.model_calls) == (RunStatus.SUCCESS, 1)
                assert "7261" not in str(server.requests[-1].body) or asked.startswith("My")
                assert [one.id for one in await runtime.runs.recent()] == [made.run_id]
                await runtime.forget_thread("t")
                assert await runtime.runs.recent() == []
    with redis_6_2.client() as client:
        assert not [key for key in client.scan_iter() if made.run_id.encode() in key]


async def test_the_same_key_makes_one_run_on_whatever_thread(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            found = await asyncio.gather(
                *(submit(runtime, key="order 8", thread=None) for _ in range(20)),
                *(submit(runtime, key="order 8", thread=f"t{n}") for n in range(5)),
            )
            assert len({(one.run_id, one.thread_id) for one in found}) == 1
            await runtime.queue.wait(found[0].run_id)
            assert len(server.requests) == 1
            assert len(await runtime.runs.recent()) == 1


async def test_the_same_key_finds_its_run_also_where_others_are_refused(opened):
    with ScriptedOpenAI(lambda _: hang()) as server:
        async with opened(server) as runtime, working(runtime):
            first = await submit(runtime, key="order 9", multitask="reject")
            await eventually(lambda: server.requests)
            again = await submit(runtime, key="order 9", multitask="reject")
            assert (again.run_id, again.is_new) == (first.run_id, False)
            await runtime.queue.cancel(first.run_id)


async def test_a_delayed_run_waits_and_others_go_first(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            later = await submit(runtime, "Later.", after=timedelta(seconds=0.3))
            assert (await runtime.queue.stats()).delayed == 1
            sooner = await submit(runtime, "Sooner.")
            assert (await runtime.queue.wait(sooner.run_id)).status is RunStatus.SUCCESS
            assert (await runtime.queue.wait(later.run_id)).status is RunStatus.SUCCESS
            said = [turn.text for turn in await runtime.threads.show("t")]
            assert said == ["Sooner.", "Sooner.", "Later.", "Sooner. Later."]


async def test_named_queues_have_their_own_workers_and_limits(opened):
    with ScriptedOpenAI(heard) as server:
        limits = {"slow": 1}
        async with opened(server, concurrency=limits) as runtime, working(runtime, queues=["slow"]):
            other = await submit(runtime, thread="other")
            slow = [await submit(runtime, thread=f"s{n}", queue="slow") for n in range(5)]
            for queued in slow:
                assert (await runtime.queue.wait(queued.run_id)).status is RunStatus.SUCCESS
            assert (await runtime.runs.get(other.run_id)).status is RunStatus.PENDING
            assert (await runtime.queue.stats()).workers == {"default": 0, "slow": 1}


async def test_a_busy_provider_is_asked_again_by_another_attempt(opened):
    with ScriptedOpenAI([server_error(503), server_error(503), say("There.")]) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            queued = await submit(runtime)
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, run.error) == (RunStatus.SUCCESS, "")


@pytest.mark.parametrize("error", ["ReadOnlyError", "ConnectionError", "TimeoutError"])
async def test_a_redis_that_is_being_replaced_is_waited_for(opened, project, error):
    (project / "away.py").write_text(
        "from pathlib import Path\n"
        "from langgraph.graph import MessagesState, StateGraph\n"
        "from redis import exceptions\n"
        "def say(state):\n"
        "    try:\n"
        "        Path(__file__).with_name('failed').touch(exist_ok=False)\n"
        "    except FileExistsError:\n"
        "        return {'messages': [('ai', 'There.')]}\n"
        f"    raise exceptions.{error}\n"
        "graph = StateGraph(MessagesState).add_node(say).set_entry_point('say')\n"
    )
    (project / "agents" / "away.yaml").write_text("description: Says.\ngraph: away.py:graph\n")
    with ScriptedOpenAI([]) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("away", "Hello.", thread_id="t"))
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)


async def test_a_run_that_never_succeeds_is_given_up(opened):
    with ScriptedOpenAI(lambda _: unauthorized()) as server:
        async with opened(server) as runtime, working(runtime):
            first, second = await submit(runtime), await submit(runtime, "Two.")
            for queued in (first, second):
                run = await runtime.queue.wait(queued.run_id)
                assert (run.status, run.attempt) == (RunStatus.ERROR, 1)
            assert (await runtime.queue.stats()).ready == {"default": 0}


async def test_a_provider_that_stays_away_has_the_run_given_up(opened):
    with ScriptedOpenAI(lambda _: server_error(503)) as server:
        async with opened(server, backoff_seconds=0.01, attempts=2) as runtime, working(runtime):
            queued = await submit(runtime)
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, run.attempt) == (RunStatus.ERROR, 2)
            await eventually(lambda: _dead(runtime))
            [(run_id, reason)] = await runtime.queue.dead()
            assert (run_id, reason) == (run.id, run.error)


async def test_a_damaged_record_stops_no_worker(opened, redis_6_2):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            damaged = await submit(runtime, thread="damaged")
            with redis_6_2.client() as client:
                client.hset(f"treadle:main:{{damaged}}:run:{damaged.run_id}", "status", "nonsense")
            async with working(runtime):
                sound = await submit(runtime, thread="sound")
                assert (await runtime.queue.wait(sound.run_id)).status is RunStatus.SUCCESS
                await eventually(lambda: _dead(runtime))
            [(run_id, reason)] = await runtime.queue.dead()
            assert run_id == damaged.run_id
            assert "damaged" in reason


async def test_a_run_whose_attempt_was_overtaken_stays_in_the_queue(opened, monkeypatch):
    """Between a worker's claim and its attempt another one begins, and is stopped."""
    begin, overtaken = RunStore.begin, []

    async def late(self, run, **how):
        if not overtaken:
            overtaken.append((await begin(self, run)).number)
            paused = (EntryType.RUN_PAUSED, {"reason": "It was stopped."})
            await self.finish(run, 1, RunStatus.PENDING, paused, usage=Usage())
        return await begin(self, run, **how)

    monkeypatch.setattr(RunStore, "begin", late)
    with ScriptedOpenAI(heard) as server:
        async with opened(server, backoff_seconds=0.01) as runtime:
            queued = await submit(runtime)  # Nobody is there to begin with it at once.
            async with working(runtime):
                run = await runtime.queue.wait(queued.run_id)
            assert (overtaken, run.status, run.attempt) == ([1], RunStatus.SUCCESS, 2)


@pytest.mark.parametrize("problem", [RedisError("It is away."), InputError("It is odd.")])
async def test_a_run_that_could_not_begin_is_not_lost(opened, monkeypatch, problem):
    begin, tries = RunStore.begin, []

    async def failing(self, run, **how):
        tries.append(run)
        if len(tries) == 1:
            raise problem
        return await begin(self, run, **how)

    monkeypatch.setattr(RunStore, "begin", failing)
    with ScriptedOpenAI(heard) as server:
        async with opened(server, runs={"lease_seconds": 1}) as runtime:
            queued = await submit(runtime)
            async with working(runtime):
                run = await runtime.queue.wait(queued.run_id)
                await eventually(lambda: _has_left(runtime, run.id))
    is_away = isinstance(problem, RedisError)
    assert run.status is (RunStatus.SUCCESS if is_away else RunStatus.ERROR)
    assert run.error == ("" if is_away else "It is odd.")


async def _has_left(runtime, run_id):
    return await runtime.queue.place(run_id) is None


async def test_a_run_whose_attempt_redis_lost_stays_in_the_queue(opened, redis_6_2):
    """A replica took over that knows of the claim, and not of the attempt that followed."""

    def forgetting(request):
        if len(server.requests) == 1:
            with redis_6_2.client() as client:
                [record] = client.scan_iter("*:run:*[0-9a-f]", _type="hash")
                client.hset(record, mapping={"status": "pending", "attempt": 0})
                client.hdel(record, "begun_by")
                client.delete("treadle:main:{t}:fence")
        return heard(request)

    with ScriptedOpenAI(forgetting) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            queued = await submit(runtime)
            run = await runtime.queue.wait(queued.run_id)
            assert (run.status, len(server.requests)) == (RunStatus.SUCCESS, 2)
            assert [turn.text for turn in await runtime.threads.show("t")] == ["One.", "One."]


async def test_a_run_whose_thread_moved_on_ends(opened):
    """Its attempt failed after a call, and somebody else went on with the thread."""

    def answer(request):
        if request.messages[-1]["content"] == "Other.":
            return say("Done.")
        return server_error(503) if request.tool_outputs else call("calculate", expression="1+1")

    with ScriptedOpenAI(answer) as server:
        async with opened(server, backoff_seconds=0.2, attempts=1_000) as runtime:
            async with working(runtime):
                queued = await submit(runtime)
                await eventually(lambda: len(server.requests) > 1)
            await runtime.ask("counter", "Other.", thread="t")
            async with working(runtime):
                run = await runtime.queue.wait(queued.run_id)
            assert run.status is RunStatus.ERROR
            assert "The thread 't' has moved on" in run.error
            assert (await runtime.queue.stats()).running == {"default": 0}


@pytest.mark.parametrize("ended_by", ["a worker", "its caller"])
async def test_a_thread_of_one_run_alone_is_forgotten(opened, redis_6_2, monkeypatch, ended_by):
    monkeypatch.setattr("treadle.runtime.queue._queue.THREAD_STAYS", timedelta(0))
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            queued = await submit(runtime, thread=None, keep_thread=False)
            kept = await submit(runtime, thread="kept")
            if ended_by == "its caller":
                await runtime.queue.cancel(queued.run_id)
            async with working(runtime):
                await runtime.queue.wait(kept.run_id)
                with redis_6_2.client() as client:
                    left = f"*{queued.thread_id}*"
                    await eventually(lambda: not list(client.scan_iter(left)))
                    # The thread itself goes last, when all that is kept of it is gone.
                    infos = "treadle:main:{threads}:info"
                    await eventually(lambda: client.hkeys(infos) == [b"kept"])
            assert (await runtime.threads.show("kept"))[-1].text == "One."


async def test_its_own_budget_holds(opened):
    with ScriptedOpenAI(lambda _: call("calculate", expression="1+1")) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, budget=Budget(model_calls=2))
            run = await runtime.queue.wait(queued.run_id)
            assert run.usage.model_calls == 2 == len(server.requests)


async def test_an_interrupted_run_is_resumed_through_the_queue(opened, project):
    (project / "asking.py").write_text(
        "from langgraph.graph import MessagesState, StateGraph\n"
        "from langgraph.types import interrupt\n"
        "def ask(state):\n"
        "    return {'messages': [('ai', 'You said ' + interrupt('Well?'))]}\n"
        "graph = StateGraph(MessagesState).add_node(ask).set_entry_point('ask')\n"
    )
    (project / "agents" / "asker.yaml").write_text("description: Asks.\ngraph: asking.py:graph\n")
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("asker", "Hello.", thread_id="t"))
            run = await runtime.queue.wait(queued.run_id)
            assert run.status is RunStatus.INTERRUPTED
            with pytest.raises(RunStateError, match="waits for an answer"):
                await runtime.queue.resume(run.id)
            await runtime.queue.resume(run.id, "yes")
            run = await runtime.queue.wait(run.id)
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)
            assert (await runtime.threads.show("t"))[-1].text == "You said yes"


TWICE = """
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import interrupt
def ask(state):
    said = [interrupt('Delete it?'), interrupt('Delete it all?')]
    return {'messages': [('ai', ' '.join(said))]}
graph = StateGraph(MessagesState).add_node(ask).set_entry_point('ask')
"""


async def test_an_answer_is_never_given_to_the_next_question(opened, project, monkeypatch):
    """The attempt dies when it asks the second question, before that is recorded."""
    (project / "twice.py").write_text(TWICE)
    (project / "agents" / "twice.yaml").write_text("description: Asks.\ngraph: twice.py:graph\n")
    with ScriptedOpenAI(heard) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("twice", "Hello.", thread_id="t"))
            run = await runtime.queue.wait(queued.run_id)
            finish, failures = RunStore.finish, []

            async def fails_once(self, run, attempt, status, *more, **others):
                if status is RunStatus.INTERRUPTED and not failures:
                    failures.append(attempt)
                    raise ConnectionResetError
                await finish(self, run, attempt, status, *more, **others)

            monkeypatch.setattr(RunStore, "finish", fails_once)
            await runtime.queue.resume(run.id, "yes")
            run = await runtime.queue.wait(run.id)
            assert (failures, run.status, run.attempt) == ([2], RunStatus.INTERRUPTED, 3)
            [asked] = await runtime.runs.interrupts(run.id)
            assert asked["value"] == "Delete it all?"
            await runtime.queue.resume(run.id, "no")
            await runtime.queue.wait(run.id)
            assert (await runtime.threads.show("t"))[-1].text == "yes no"


async def test_an_answer_may_come_before_the_worker_has_told_of_the_question(
    opened, project, monkeypatch
):
    (project / "twice.py").write_text(TWICE)
    (project / "agents" / "twice.yaml").write_text("description: Asks.\ngraph: twice.py:graph\n")
    claim, answered = Board.claim, asyncio.Event()

    async def tells_late(self, worker, lease, wanted, limits, ended=()):
        if ended:
            await answered.wait()
        return await claim(self, worker, lease, wanted, limits, ended)

    monkeypatch.setattr(Board, "claim", tells_late)
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("twice", "Hello.", thread_id="t"))
            for answer in ("yes", "no"):
                run = await runtime.queue.wait(queued.run_id)
                assert run.status is RunStatus.INTERRUPTED
                answered.clear()
                await runtime.queue.resume(run.id, answer)
                answered.set()
            assert (await runtime.queue.wait(run.id)).status is RunStatus.SUCCESS
            assert (await runtime.threads.show("t"))[-1].text == "yes no"
            assert (await runtime.queue.submit(RunRequest("twice", "Next.", thread_id="t"))).is_new


async def test_an_answer_survives_the_attempt_that_took_it(opened, project):
    """The attempt fails after it was given the answer; the next one needs none from the person."""
    (project / "failing.py").write_text(
        "from pathlib import Path\n"
        + TWICE.replace(
            "    said = [interrupt('Delete it?'), interrupt('Delete it all?')]\n",
            "    said = [interrupt('Delete it?')]\n"
            "    try:\n"
            "        Path(__file__).with_name('failed').touch(exist_ok=False)\n"
            "    except FileExistsError:\n"
            "        pass\n"
            "    else:\n"
            "        raise ConnectionResetError\n",
        )
    )
    (project / "agents" / "asker.yaml").write_text("description: Asks.\ngraph: failing.py:graph\n")
    with ScriptedOpenAI(heard) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("asker", "Hello.", thread_id="t"))
            run = await runtime.queue.wait(queued.run_id)
            await runtime.queue.resume(run.id, "yes")
            run = await runtime.queue.wait(run.id)
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 3)
            assert (await runtime.threads.show("t"))[-1].text == "yes"


async def test_a_graph_without_messages_runs(opened, project):
    (project / "adding.py").write_text(
        "from typing import TypedDict\n"
        "from langgraph.graph import StateGraph\n"
        "class State(TypedDict):\n"
        "    n: int\n"
        "def add(state):\n"
        "    return {'n': state['n'] + 1}\n"
        "graph = StateGraph(State).add_node(add).set_entry_point('add')\n"
    )
    (project / "agents" / "adder.yaml").write_text("description: Adds.\ngraph: adding.py:graph\n")
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime, working(runtime):
            options = RunOptions(keep_values=True)
            queued = await runtime.queue.submit(
                RunRequest("adder", {"n": 4}, thread_id="t", options=options)
            )
            events = [event async for event in runtime.queue.events(queued.run_id)]
            assert [event.name for event in events] == ["values", "end"]
            assert events[0].data == b'{"n":5}'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue": "{queue}:leases"}, "no name that can be used"),
        ({"queue": "a\nb"}, "no name that can be used"),
        ({"queue": "Slow Queue"}, "no name that can be used"),
        ({"multitask": "maybe"}, "not known"),
        ({"after": timedelta(days=60)}, "cannot wait"),
        ({"after": timedelta(seconds=-1)}, "cannot wait"),
        ({"key": ""}, "1 to 512"),
        ({"text": " "}, "empty"),
        ({"thread": "a\nb"}, "control characters"),
    ],
)
async def test_what_cannot_be_queued_is_refused(opened, options, message):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            with pytest.raises(InputError, match=message):
                await submit(runtime, **options)
            assert await runtime.runs.recent() == []


async def test_unknown_names_are_refused(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            with pytest.raises(UnknownNameError):
                await runtime.queue.submit(RunRequest("nobody", "Hello."))
            with pytest.raises(UnknownNameError):
                await runtime.queue.wait("nothing")
            with pytest.raises(InputError, match="no event's id"):
                await anext(runtime.queue.events("nothing", "x"))


def dying(runtime):
    """Return a way to submit whose process dies between the run's record and the queue."""
    board = runtime.queue.board

    async def submit(run_id, *words, **_):
        first = words[-1]
        if first:
            await board.announce(run_id)
        for each in first:
            await driver_of(runtime.redis, "test").ask(each)
        raise ConnectionResetError

    return submit


@pytest.mark.parametrize("key", [None, "order 10"])
async def test_what_was_accepted_and_never_submitted_is_found(opened, monkeypatch, key):
    """The submitter dies between the record and the queue; a worker finds the run."""
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            with monkeypatch.context() as patched:
                patched.setattr(runtime.queue.board, "submit", dying(runtime))
                with pytest.raises(ConnectionResetError):
                    await submit(runtime, key=key)
            [run] = await runtime.runs.recent()
            assert run.status is RunStatus.PENDING
            monkeypatch.setattr(
                "treadle.runtime.queue._board.LOST_AFTER", timedelta(milliseconds=1)
            )
            async with working(runtime):
                assert (await runtime.queue.wait(run.id)).status is RunStatus.SUCCESS


async def test_where_a_run_stands(opened):
    with ScriptedOpenAI(lambda _: hang()) as server:
        async with opened(server) as runtime:
            first, second = await submit(runtime), await submit(runtime, "Two.")
            later = await submit(runtime, queue="slow", after=timedelta(hours=1))
            place = runtime.queue.place
            found = [await place(one.run_id) for one in (first, second, later)]
            assert [one.state for one in found] == ["ready", "waiting", "delayed"]
            assert [one.before for one in found] == [0, 1, 0]
            assert timedelta(minutes=59) < found[2].due_in <= timedelta(hours=1)
            assert all(one.is_unserved for one in found)
            async with working(runtime):
                await eventually(lambda: server.requests)
                at_work, behind = await place(first.run_id), await place(second.run_id)
                assert (at_work.state, at_work.workers, at_work.is_unserved) == (
                    "running",
                    1,
                    False,
                )
                assert (behind.is_unserved, (await place(later.run_id)).is_unserved) == (
                    False,
                    True,
                )
                await runtime.queue.cancel(first.run_id)
                await runtime.queue.wait(first.run_id)
                await eventually(lambda: _is_gone(runtime, first.run_id))


async def _is_gone(runtime, run_id):
    return await runtime.queue.place(run_id) is None


async def test_a_worker_serves_no_queue_that_cannot_be(opened):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            for name in ("Slow Queue", "a{b}", "a\nb", "", "x" * 65):
                with pytest.raises(InputError, match="no name that can be used"):
                    runtime.worker([name])


async def test_a_worker_leaves_runs_of_a_newer_version_alone(opened, monkeypatch):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            with monkeypatch.context() as patched:
                patched.setattr("treadle.runtime.queue._board.VERSION", 2)
                newer = await submit(runtime, thread="newer")
            async with working(runtime):
                older = await submit(runtime, thread="older")
                assert (await runtime.queue.wait(older.run_id)).status is RunStatus.SUCCESS
                await eventually(lambda: _delayed(runtime))
                assert (await runtime.runs.get(newer.run_id)).status is RunStatus.PENDING


async def test_what_was_to_wait_waits_also_when_it_is_found(opened, monkeypatch):
    with ScriptedOpenAI(heard) as server:
        async with opened(server) as runtime:
            with monkeypatch.context() as patched:
                patched.setattr(runtime.queue.board, "submit", dying(runtime))
                with pytest.raises(ConnectionResetError):
                    await submit(runtime, after=timedelta(hours=1))
            [run] = await runtime.runs.recent()
            await runtime.queue.put_back(run.id)
            stats = await runtime.queue.stats()
            assert (stats.delayed, stats.ready) == (1, {"default": 0})


async def _dead(runtime):
    return (await runtime.queue.stats()).dead


async def _delayed(runtime):
    return (await runtime.queue.stats()).delayed
