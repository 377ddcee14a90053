"""What was said on a thread is changed between its runs: state, transcript, recall and summary."""

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.agents._definition import MemorySettings
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStateError
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say

SECRET = "zanzibarine"
AGENT = Agent(name="talker", memory=MemorySettings(window_tokens=1_500), tools=("clarify.py:ask",))
ASK = '''
from langgraph.types import interrupt

from treadle.tools import Effect, tool


@tool(effect=Effect.READ)
def ask() -> str:
    """Ask a person."""
    return str(interrupt("Which one?"))
'''
DELTA = """
from typing import Annotated

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


def joined(held, writes):
    return [*(held or []), *(one for each in writes for one in each)]


class State(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(joined)]


def reply(state):
    return {"messages": [AIMessage("noted", id="noted")]}


graph = StateGraph(State).add_node("reply", reply).add_edge(START, "reply")
"""


def answer(request):
    if "clarify" in request.last_user_text and request.messages[-1]["role"] != "tool":
        return call("ask")
    return hang() if "hang" in request.last_user_text else say("Understood, every word. " * 10)


@pytest.fixture
async def opened(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "clarify.py").write_text(ASK)
    (tmp_path / "delta.py").write_text(DELTA)
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            yield rt, server


async def test_what_left_the_state_is_told_no_more_either(opened):
    rt, server = opened
    asked = f"The word is {SECRET}, keep it in mind. " + "It matters. " * 20
    await rt.ask(AGENT, asked, thread="t")
    for number in range(8):
        await rt.ask(AGENT, f"Tell me of {number}. " + "Go on. " * 60, thread="t")
    await rt.ask(AGENT, f"What about {SECRET}?", thread="t")
    assert SECRET in str(server.requests[-1].messages[:-1])  # It was summed up, or recalled.
    page = await rt.threads.page("t")
    gone = [one.message.id for one in page.messages if SECRET in one.message.text]
    assert len(gone) == 2
    async with rt.editing("t") as thread:
        await thread.change(gone)
    await rt.ask(AGENT, f"What about {SECRET} now?", thread="t")
    assert SECRET not in str(server.requests[-1].messages[:-1])
    assert [one.message.text for one in (await rt.threads.page("t")).messages][-2] == (
        f"What about {SECRET} now?"
    )
    assert len(await rt.threads.search("t", SECRET)) == 1


async def test_a_reader_who_knew_a_message_does_not_bring_it_back(opened, redis_url):
    rt, _ = opened
    await rt.ask(AGENT, f"The word is {SECRET}.", thread="t")
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    found = await rt.memory.saver.aget_tuple(config)
    held = found.checkpoint["channel_values"]["messages"]
    async with rt.editing("t") as thread:
        await thread.change([held[0].id], [AIMessage("Forgotten.", id=held[1].id)])
    await rt.memory.note("t", held[:1])
    async with Runtime.open(redis_url, rt.project, settings=rt.settings) as other:
        await other.memory.note("t", held[:1])
        assert [turn.text for turn in await other.threads.show("t")] == ["Forgotten."]


async def test_a_thread_that_a_run_uses_or_waits_on_is_left_alone(opened):
    rt, _ = opened
    reply = await rt.ask(AGENT, "Please clarify.", thread="t")
    assert reply.stopped
    with pytest.raises(RunStateError, match="waits for an answer"):
        async with rt.editing("t"):
            pytest.fail("It was let in.")
    assert (await rt.resume(reply.run_id, "the first", agent=AGENT)).text
    async with rt.held("t"):
        with pytest.raises(RunStateError, match="busy"):
            async with rt.editing("t"):
                pytest.fail("It was let in.")
    async with rt.editing("t") as thread:
        [said] = await thread.add([HumanMessage("Between.", id="between")])
    assert said.message.text == "Between."
    assert (await rt.ask(AGENT, "And?", thread="t")).text


async def test_what_a_failed_run_was_about_to_do_is_done_with_what_was_added(opened):
    rt, server = opened
    asking = asyncio.create_task(rt.ask(AGENT, "Do hang.", thread="t"))
    await eventually(lambda: bool(server.requests))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with rt.editing("t") as thread:
        await thread.add([HumanMessage("Rather not.", id="rather")])
    [run] = await rt.runs.recent(1, thread="t")
    config = {"configurable": {"thread_id": "t"}}
    state = await rt.graph(AGENT).aget_state(config)
    assert [one.id for one in state.values["messages"]][-1] == "rather"
    assert state.next
    assert run.thread_id == "t"


async def test_a_graph_that_keeps_its_messages_in_its_own_way_is_named(opened):
    rt, _ = opened
    agent = Agent(name="delta", graph="delta.py:graph")
    await rt.ask(agent, "Hello.", thread="t")
    async with rt.editing("t") as thread:
        with pytest.raises(InputError, match="in a way of its own"):
            await thread.add([HumanMessage("x", id="x")])
