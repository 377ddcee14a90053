"""What is streamed of a run: from any event on, to any number of readers, none of it twice."""

import asyncio
import itertools
import json

import pytest

from tests.runtime.queue.conftest import submit, working
from treadle.core.errors import RunError
from treadle.runtime.queue import RunOptions
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, say

ANSWER = "It is four, as it has always been."
STREAM = RunOptions(stream=("values", "updates", "messages-tuple"))


def answer(request):
    return say(ANSWER) if request.tool_outputs else call("calculate", expression="2+2")


async def read(runtime, run_id, after="0"):
    return [event async for event in runtime.queue.events(run_id, after)]


async def test_everything_is_streamed_in_order(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            events = await read(runtime, queued.run_id)
            names = [event.name for event in events]
            assert (names[0], names[-1]) == ("metadata", "end")
            assert json.loads(events[0].data) == {
                "run_id": queued.run_id,
                "thread_id": "t",
                "attempt": 1,
            }
            assert json.loads(events[-1].data) == {"status": "success"}
            pieces = [json.loads(e.data)[0] for e in events if e.name == "messages"]
            spoken = [p["content"] for p in pieces if p["type"] == "AIMessageChunk"]
            assert "".join(spoken) == ANSWER
            assert len([text for text in spoken if text]) > 1
            last = [json.loads(e.data) for e in events if e.name == "values"][-1]
            assert [m["type"] for m in last["messages"]] == ["human", "ai", "tool", "ai"]


async def test_a_reader_goes_on_after_any_event(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            whole = await read(runtime, queued.run_id)
            for n, event in enumerate(whole):
                assert await read(runtime, queued.run_id, event.id) == whole[n + 1 :]


async def test_the_end_is_told_wherever_it_falls_on_a_page(opened):
    words = " ".join(["x" * 200] * 60)
    with ScriptedOpenAI(lambda _: say(words)) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, options=RunOptions(stream=("messages",)))
            whole = await read(runtime, queued.run_id)
            assert sum(len(event.data) for event in whole[-17:]) > 64 * 1_024  # More than a page.
            for n in range(len(whole) - 40, len(whole)):
                assert await read(runtime, queued.run_id, whole[n].id) == whole[n + 1 :]


async def test_many_readers_read_the_same(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            reads = await asyncio.gather(*(read(runtime, queued.run_id) for _ in range(20)))
            assert all(one == reads[0] for one in reads)
            assert reads[0][-1].name == "end"


async def test_partial_messages_grow(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            options = RunOptions(stream=("messages",))
            queued = await submit(runtime, "What is 2+2?", options=options)
            events = await read(runtime, queued.run_id)
            partial = [json.loads(e.data)[0] for e in events if e.name == "messages/partial"]
            texts = [message["content"] for message in partial if message["content"]]
            assert texts[-1] == ANSWER
            assert all(b.startswith(a) for a, b in itertools.pairwise(texts))
            assert {message["type"] for message in partial} == {"ai"}


async def test_a_run_that_streams_nothing_ends_its_readers(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?")
            assert await read(runtime, queued.run_id) == []
            assert (await runtime.runs.get(queued.run_id)).status is RunStatus.SUCCESS


async def test_a_run_stopped_before_it_began_ends_its_readers(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime:
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            reading = asyncio.create_task(read(runtime, queued.run_id))
            await runtime.queue.cancel(queued.run_id)
            assert await reading == []


async def test_events_are_forgotten_with_their_thread(opened, redis_6_2):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            await runtime.queue.wait(queued.run_id)
            await runtime.forget_thread("t")
            with redis_6_2.client() as client:
                assert list(client.scan_iter("*{t}*")) == []


async def test_a_reader_is_told_when_the_run_is_forgotten(opened):
    with ScriptedOpenAI(answer) as server:
        async with opened(server) as runtime, working(runtime):
            queued = await submit(runtime, "What is 2+2?", options=STREAM)
            run = await runtime.queue.wait(queued.run_id)
            pages = runtime.queue.event_pages(run)
            await runtime.forget_thread(run.thread_id)
            with pytest.raises(RunError, match="was forgotten"):
                await anext(pages)
