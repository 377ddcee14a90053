"""The state a run leaves is kept with it at the same cost, however long its thread has become."""

import asyncio
import json

import pytest
from langchain_core.messages import HumanMessage

from tests.runtime.queue.conftest import working
from treadle.core.json_text import as_json
from treadle.memory import connect
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest
from treadle.runtime.runs import RunOptions
from treadle.runtime.testing import ScriptedOpenAI

ECHO = """
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import interrupt


class State(MessagesState, total=False):
    note: str


def echo(state):
    text = state["messages"][-1].text
    if text == "ask":
        text = interrupt("Which?")
    return {"messages": [AIMessage(text)], "note": "é\\n@"}


graph = StateGraph(State).add_node(echo).set_entry_point("echo").compile()
"""


@pytest.fixture(autouse=True)
def _graph(project):
    (project / "echoing.py").write_text(ECHO)
    (project / "agents" / "echo.yaml").write_text("description: E.\ngraph: echoing.py:graph\n")


@pytest.fixture
async def runtime(opened):
    with ScriptedOpenAI([]) as server:
        async with opened(server) as runtime, working(runtime):
            yield runtime


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as client:
        yield client


async def left_by(runtime, text, **given):
    """Run the graph once; return the run and the state it left, as it is told."""
    asked = {"messages": [{"role": "user", "content": text}], **given}
    options = RunOptions(keep_values=True)
    request = RunRequest("echo", asked, thread_id="t", options=options)
    queued = await runtime.queue.submit(request)
    run, [_, values] = await runtime.queue.outcome(queued.run, 2)
    assert values.name == "values"
    return run, values.data


async def stored(client, run):
    """Return how many bytes a run's state takes in Redis."""
    [_, (_, fields)] = await client.xrevrange(f"treadle:main:{{t}}:run:{run.id}:events", count=2)
    return len(fields[b"data"])


async def test_what_is_told_is_the_state_and_what_is_kept_does_not_grow(runtime, client):
    sizes = []
    for number in range(8):
        run, told = await left_by(runtime, f"{number} " + "x" * 500)
        sizes.append(await stored(client, run))
        saved = await runtime.memory.saver.aget_tuple({"configurable": {"thread_id": "t"}})
        values = saved.checkpoint["channel_values"]
        assert told == as_json({"messages": values["messages"], "note": "é\n@"})
        assert len(json.loads(told)["messages"]) == 2 * (number + 1)
    assert max(sizes) < 200
    events = [event async for event in runtime.queue.events(run.id)]
    assert [(event.name, event.data) for event in events[:1]] == [("values", told)]


async def test_another_process_tells_the_same_at_any_later_time(runtime, redis_url, project):
    states = [await left_by(runtime, f"{number}") for number in range(3)]
    async with Runtime.open(redis_url, project, settings=runtime.settings) as other:
        for run, told in states:
            _, [_, values] = await other.queue.outcome(run, 2)
            assert values.data == told


async def test_a_state_that_waits_for_a_person_is_told_with_what_it_asks(runtime):
    await left_by(runtime, "hello")
    _, told = await left_by(runtime, "ask")
    state = json.loads(told)
    assert [message["content"] for message in state["messages"]] == ["hello", "hello", "ask"]
    assert [one["value"] for one in state["__interrupt__"]] == ["Which?"]


async def test_a_state_whose_messages_are_gone_is_told_no_more(runtime, redis_url, project):
    run, _ = await left_by(runtime, "hello")
    await runtime.memory.saver.adelete_thread("t")
    async with Runtime.open(redis_url, project, settings=runtime.settings) as other:
        _, latest = await other.queue.outcome(run, 2)
        assert [event.name for event in latest] == ["end"]
        assert [event.name async for event in other.queue.events(run.id)] == ["end"]


async def test_many_threads_at_once_are_told_each_its_own(runtime):
    async def talk(name):
        for number in range(3):
            asked = {"messages": [HumanMessage(f"{name} {number}")]}
            options = RunOptions(keep_values=True)
            request = RunRequest("echo", asked, thread_id=name, options=options)
            queued = await runtime.queue.submit(request)
            _, [_, values] = await runtime.queue.outcome(queued.run, 2)
        return [message["content"] for message in json.loads(values.data)["messages"]]

    names = [f"thread {number}" for number in range(6)]
    for name, told in zip(names, await asyncio.gather(*map(talk, names)), strict=True):
        assert told == [f"{name} {number}" for number in range(3) for _ in range(2)]
