"""What a run streams reaches readers in its worker's process without Redis, and nothing twice."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.queue.conftest import submit, working
from treadle.runtime.events import Feed, _feed
from treadle.runtime.queue import RunOptions
from treadle.runtime.runs import RunStatus, RunStore, StreamedEvent
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say, server_error

STREAM = RunOptions(stream=("values", "updates", "messages-tuple"))
WORDS = " ".join(["word"] * 60)


def answer(request):
    return say(WORDS) if request.tool_outputs else call("calculate", expression="2+2")


async def read(runtime, run_id, after="0"):
    return [event async for event in runtime.queue.events(run_id, after)]


def ring(bells):
    for bell in bells:
        bell.ring()


async def ready(runtime):
    """Return when the worker is there to take what is submitted."""
    await runtime.queue.wait((await submit(runtime, thread="before")).run)


async def asked(runtime):
    """Return how often Redis was asked for events."""
    stats = await runtime.redis.info("commandstats")
    return stats.get("cmdstat_xrange", {"calls": 0})["calls"]


async def test_a_reader_of_the_same_process_asks_redis_for_nothing(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            await ready(runtime)
            before = await asked(runtime)
            queued = await submit(runtime, options=STREAM)
            events = runtime.queue.events(queued.run_id)
            told = [await anext(events)]
            listened = await runtime.redis.pubsub_channels("*{t}*")
            told += [event async for event in events]
            assert (listened, await asked(runtime) - before) == ([], 0)
            assert (told[0].name, told[-1].name) == ("metadata", "end")
            assert await read(runtime, queued.run_id) == told, "as Redis has it"


async def test_the_outcome_is_as_redis_has_it(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            await ready(runtime)
            options = RunOptions(keep_values=True)
            queued = await submit(runtime, options=options)
            told, latest = await runtime.queue.outcome(queued.run, 2)
            assert [event.name for event in latest] == ["end", "values"]
            assert told.status is RunStatus.SUCCESS
            assert (told, latest) == await runtime.queue.outcome(queued.run_id, 2)
            assert told == await runtime.runs.get(queued.run_id)


@pytest.mark.parametrize("held", [0, 1, 7])
async def test_a_slow_reader_finds_in_redis_what_the_feed_left_behind(opened, monkeypatch, held):
    monkeypatch.setattr(_feed, "MAX_EVENTS", held)
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            await ready(runtime)
            queued = await submit(runtime, options=STREAM)
            slow = runtime.queue.events(queued.run_id)
            told = [await anext(slow)]
            quick = await read(runtime, queued.run_id)
            told += [event async for event in slow]
            assert told == quick == await read(runtime, queued.run_id)
            assert len(told) > 30


async def test_readers_go_on_with_the_next_attempt(opened):
    with ScriptedOpenAI([say("Ready."), server_error(503), say(WORDS)]) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            await ready(runtime)
            queued = await submit(runtime, options=STREAM)
            outcome = asyncio.create_task(runtime.queue.outcome(queued.run, 1))
            told = await read(runtime, queued.run_id)
            assert [event.name for event in told].count("metadata") == 2
            assert [event.name for event in told].count("end") == 1
            run, latest = await outcome
            assert (run.status, run.attempt, latest) == (RunStatus.SUCCESS, 2, told[-1:])


async def test_readers_of_a_run_that_is_stopped_are_told(opened):
    def answers(request):
        return hang() if server.requests[1:] else say("Ready.")

    with ScriptedOpenAI(answers) as server:
        async with opened(server) as runtime, working(runtime):
            await ready(runtime)
            queued = await submit(runtime, options=STREAM)
            outcome = asyncio.create_task(runtime.queue.wait(queued.run))
            events = runtime.queue.events(queued.run_id)
            told = [await anext(events)]
            await runtime.queue.cancel(queued.run_id)
            told += [event async for event in events]
            assert told[-1].data == b'{"status":"cancelled"}'
            assert (await outcome).status is RunStatus.CANCELLED
            assert told == await read(runtime, queued.run_id)


async def test_a_beginning_whose_reply_was_lost_is_read_from_redis(opened, monkeypatch):
    begin = RunStore.begin

    async def lost(self, *given, **how):
        return replace(await begin(self, *given, **how), told=None)

    monkeypatch.setattr(RunStore, "begin", lost)
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            await ready(runtime)
            queued = await submit(runtime, options=STREAM)
            told = await read(runtime, queued.run_id)
            assert (told[0].name, told[-1].name) == ("metadata", "end")
            assert told == await read(runtime, queued.run_id)


@given(
    st.lists(st.lists(st.integers(0, 200_000), max_size=4), max_size=12),
    st.integers(1, 6),
    st.data(),
)
async def test_a_feed_hands_on_all_that_comes_after_an_event_or_says_that_it_cannot(
    batches, most, data
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_feed, "MAX_EVENTS", most)
        feed, known, after = Feed(ring), [], "0"
        for sizes in batches:
            first = len(known)
            known += [
                StreamedEvent(f"{5 + number // 2}-{number % 2}", "values", bytes(size))
                for number, size in enumerate(sizes, start=first)
            ]
            feed.add(known[first:])
            held = sum(len(event.data) for event in feed._events)
            assert held <= _feed.MAX_BYTES or len(feed._events) == 1
            assert len(feed._events) <= max(most, 1)
            after = data.draw(st.sampled_from(["0", *(event.id for event in known)]))
            place = next((n for n, e in enumerate(known, start=1) if e.id == after), 0)
            found = feed.after(after)
            assert found is None or list(found) == known[place : place + _feed.PAGE]
            if known[-1:] and after == known[-1].id:
                assert found == []
            latest = feed.latest(2)
            assert latest is None or list(latest) == known[:-3:-1]
