"""What happens on a thread over all of its runs, as one stream."""

import asyncio
from contextlib import aclosing

import httpx
import pytest
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.support.waiting import eventually

ASKED = {"said": ["hello"]}


async def new_thread(client):
    return (await client.threads.create(graph_id="own"))["thread_id"]


async def told(client, thread, ends, **about):
    """Return what a thread streams, to its ``ends``-th end of a run."""
    parts = []
    async with aclosing(await client.threads.join_stream(thread, **about)) as stream:
        async for part in stream:
            parts.append(part)
            is_end = part.event == "metadata" and part.data.get("status") == "run_done"
            ends -= is_end
            if ends == 0:
                return parts
    raise AssertionError("the stream ended")


async def test_runs_are_told_one_after_the_other_also_when_one_is_resumed(client):
    thread = await new_thread(client)
    async for _ in client.runs.stream(thread, "own", input=ASKED, stream_mode="values"):
        pass
    following = asyncio.create_task(told(client, thread, 3, last_event_id="-1"))
    async for _ in client.runs.stream(thread, "own", command={"resume": "yes"}):
        pass
    async for _ in client.runs.stream(thread, "own", input=ASKED, stream_mode="updates"):
        pass
    parts = await asyncio.wait_for(following, 60)
    runs = await client.runs.list(thread)
    begun = [p.data["run_id"] for p in parts if p.event == "metadata" and "attempt" in p.data]
    assert begun == [runs[1]["run_id"], runs[1]["run_id"], runs[0]["run_id"]]
    assert any(part.event == "values" and "yes" in part.data["said"] for part in parts)
    assert any(part.event == "updates" for part in parts)


async def test_it_goes_on_where_it_was_cut(client):
    thread = await new_thread(client)
    for _ in range(2):
        async for _ in client.runs.stream(thread, "own", input=ASKED, stream_mode="values"):
            pass
    whole = await asyncio.wait_for(told(client, thread, 2, last_event_id="-1"), 30)
    ends = [n for n, p in enumerate(whole) if p.event == "metadata" and "status" in p.data]
    for cut in range(len(whole) - 1):
        left = sum(end > cut for end in ends)
        rest = await asyncio.wait_for(told(client, thread, left, last_event_id=whole[cut].id), 30)
        assert rest == whole[cut + 1 :]


async def test_without_an_event_it_begins_now_and_ends_with_the_thread(client):
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED)
    parts = []

    async def follow():
        stream = await client.threads.join_stream(thread, stream_mode="lifecycle")
        async for part in stream:
            parts.append(part)  # noqa: PERF401 - they are looked at while it goes on

    following = asyncio.create_task(follow())

    async def has_told():
        await client.runs.wait(thread, "own", input=ASKED, multitask_strategy="enqueue")
        async for _ in client.runs.stream(thread, "own", input=ASKED, stream_mode="values"):
            pass
        return parts

    await eventually(has_told, within_seconds=60)
    assert {part.event for part in parts} == {"metadata"}
    await client.threads.delete(thread)
    await asyncio.wait_for(following, 30)


async def test_what_cannot_be_followed_is_refused(client, served):
    thread = await new_thread(client)
    with pytest.raises(NotFoundError):
        await told(client, "nothing", 1)
    for about in ({"last_event_id": "zz"}, {"stream_mode": "hope"}):
        with pytest.raises(UnprocessableEntityError):
            await told(client, thread, 1, **about)
    async with httpx.AsyncClient(base_url=served[0]) as raw:
        assert (await raw.get(f"/threads/{'x' * 201}/stream")).status_code == 422
