"""Beside a call that waits or was stopped: nothing is done twice, nothing is orphaned."""

import asyncio

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

MODULE = '''
import asyncio
from pathlib import Path

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from treadle.tools import tool as our_tool

HERE = Path(__file__).parent

def did():
    with (HERE / "done").open("a") as file:
        file.write("x")

@tool
def act() -> str:
    """Do something once."""
    did()
    return "acted"

@tool
async def act_later() -> str:
    """Do something once."""
    did()
    return "acted"

@tool
def ask() -> str:
    """Ask a person."""
    return interrupt("May I?")

@our_tool
async def hang() -> str:
    """Never return."""
    (HERE / "hangs").touch()
    await asyncio.Event().wait()

def beside(effect):
    def act_node(state):
        return {"messages": [AIMessage(effect.invoke({}))]}

    async def act_node_async(state):
        return {"messages": [AIMessage(await effect.ainvoke({}))]}

    def ask_node(state):
        return {"messages": [AIMessage(interrupt("May I?"))]}

    node = act_node if effect is act else act_node_async
    graph = StateGraph(MessagesState).add_node("act", node).add_node("ask", ask_node)
    return graph.add_edge(START, "act").add_edge(START, "ask")

def in_tool_node(effect):
    async def plan(state):
        made = [{"name": t.name, "args": {}, "id": t.name} for t in (effect, ask)]
        return {"messages": [AIMessage("", tool_calls=made)]}

    graph = StateGraph(MessagesState).add_node("plan", plan)
    graph.add_node("tools", ToolNode([effect, ask]))
    return graph.add_edge(START, "plan").add_edge("plan", "tools")

nodes = beside(act)
async_nodes = beside(act_later)
tool_node = in_tool_node(act)
async_tool_node = in_tool_node(act_later)
'''


@pytest.fixture
def project(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize("name", ["nodes", "async_nodes", "tool_node", "async_tool_node"])
async def test_an_effect_beside_a_question_is_not_repeated(redis_url, project, name):
    agent = Agent(name=name.replace("_", "-"), graph=f"mine.py:{name}")
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "Do it.", thread="t")
            run = await rt.runs.get(reply.run_id)
            assert run.status is RunStatus.INTERRUPTED
            await rt.resume(run.id, "You may.", agent=agent)
            assert (await rt.runs.get(run.id)).status is RunStatus.SUCCESS
            texts = [turn.text for turn in await rt.threads.show("t")]
    assert (project / "done").read_text() == "x"
    assert "You may." in str(texts)


async def test_an_effect_beside_a_tool_that_asks_is_not_repeated(redis_url, project):
    agent = Agent(name="asker", tools=("mine.py:act", "mine.py:ask"))
    asked = calls(call("act"), call("ask"))
    with ScriptedOpenAI([asked, say("Both done.")]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "Do it.", thread="t")
            assert [one["value"] for one in await rt.runs.interrupts(reply.run_id)] == ["May I?"]
            assert (project / "done").read_text() == "x"
            reply = await rt.resume(reply.run_id, "You may.", agent=agent)
            assert (await rt.runs.replay(reply.run_id)).difference is None
        assert list(server.requests[1].tool_outputs.values()) == ["acted", "You may."]
    assert reply.text == "Both done."
    assert (project / "done").read_text() == "x"


async def test_the_turn_after_a_stopped_tool_is_accepted(redis_url, project):
    agent = Agent(name="worker", tools=("mine.py:hang",))
    asked = calls(call("hang"), call("hang"))
    with ScriptedOpenAI([asked, say("Fresh.")]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            first = asyncio.create_task(rt.ask(agent, "Do it.", thread="t"))
            await eventually((project / "hangs").exists)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            reply = await rt.ask(agent, "And now?", thread="t")
    assert reply.text == "Fresh."
