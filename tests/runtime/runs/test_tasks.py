"""A task that is run again, or left behind: what its calls did is done once, and not forgotten."""

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.core.errors import RunError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, say

GRAPHS = '''
import asyncio
from pathlib import Path
from langchain_core.messages import AIMessage
from langchain_core.tools import tool as plain_tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy, interrupt
from treadle.tools import Effect, tool

HERE = Path(__file__).parent
RETRY = RetryPolicy(initial_interval=0.001, max_attempts=3, retry_on=ConnectionError)

def note(line):
    with (HERE / "calls.txt").open("a") as file:
        file.write(line + "\\n")

@tool(effect=Effect.ONCE)
def pay() -> str:
    """Pay."""
    note("pay")
    return "Paid."

@plain_tool
async def send() -> str:
    """Send, and lose the connection."""
    note("send")
    raise ConnectionError("the connection was lost")

@tool(effect=Effect.ONCE)
async def slow() -> str:
    """Do something that takes its time."""
    while not (HERE / "go").exists():
        await asyncio.sleep(0.005)
    note("slow")
    return "Done."

@tool(effect=Effect.ONCE)
async def confirm() -> str:
    """Ask a person."""
    return interrupt("Really?")

tries = []

async def shaky(state: MessagesState):
    paid = await pay.ainvoke({})
    tries.append(paid)
    if len(tries) < 3:
        raise ConnectionError("a flaky node")
    return {"messages": [AIMessage(paid)]}

async def losing(state: MessagesState):
    return {"messages": [AIMessage(await send.ainvoke({}))]}

def ask_for_both(state: MessagesState):
    calls = [{"name": name, "args": {}, "id": name} for name in ("slow", "confirm")]
    return {"messages": [AIMessage("", tool_calls=calls)]}

def alone(node):
    graph = StateGraph(MessagesState).add_node("node", node, retry_policy=RETRY)
    return graph.add_edge(START, "node").compile()

def in_turn(*nodes):
    graph = StateGraph(MessagesState)
    before = START
    for node in nodes:
        graph.add_node(node.__name__, node).add_edge(before, node.__name__)
        before = node.__name__
    return graph.compile()

async def paying(state: MessagesState):
    return {"messages": [AIMessage(await pay.ainvoke({}))]}

async def paying_twice(state: MessagesState):
    paid = [await pay.ainvoke({}), await pay.ainvoke({})]
    return {"messages": [AIMessage("".join(paid))]}

async def telling(state: MessagesState):
    tries.append("told")
    if len(tries) < 3:
        note("fails")
        raise ConnectionError("a flaky node")
    answer = await model().ainvoke(state["messages"])
    return {"messages": [answer]}

def model():
    return ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=5)

inner, last = in_turn(paying, paying_twice, shaky), in_turn(paying, telling)

async def calling(state: MessagesState):
    return await inner.ainvoke(state)

retried, failing = alone(shaky), alone(losing)
around, called, asking = alone(inner), alone(calling), alone(last)
both = StateGraph(MessagesState).add_node("ask", ask_for_both)
both = both.add_node("tools", ToolNode([slow, confirm])).add_edge(START, "ask")
both = both.add_edge("ask", "tools").compile()
'''


@pytest.fixture
def project(tmp_path):
    (tmp_path / "graphs.py").write_text(GRAPHS)
    return tmp_path


def agent(graph):
    return Agent(name="foreign", graph=f"graphs.py:{graph}")


def done(project):
    file = project / "calls.txt"
    return file.read_text().split() if file.exists() else []


async def test_a_task_that_is_tried_again_does_not_repeat_its_effect(redis_url, project):
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent("retried"), "Go.")
            assert reply.text == "Paid."
            assert done(project) == ["pay"]
            assert reply.usage.tool_calls == 1
            calls = (await rt.runs.journal(reply.run_id)).calls()
    assert [(one.name, one.made) for one in calls] == [("pay", True)]


@pytest.mark.parametrize("graph", ["around", "called"])
async def test_a_subgraph_that_is_tried_again_does_not_repeat_its_effects(
    redis_url, project, graph
):
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent(graph), "Go.")
            calls = (await rt.runs.journal(reply.run_id)).calls()
    assert reply.text == "Paid."
    assert done(project) == ["pay"] * 4
    assert [(one.name, one.made) for one in calls] == [("pay", True)] * 4


async def test_a_subgraph_that_is_tried_again_is_served_its_own_outcomes(
    redis_url, project, monkeypatch
):
    with ScriptedOpenAI([say("One answer.")]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent("asking"), "Go.")
        [request] = server.requests
    assert reply.text == "One answer."
    assert [one["content"] for one in request.messages] == ["Go.", "Paid."]
    assert done(project) == ["pay", "fails", "fails"]


async def test_an_effect_that_failed_has_had_its_try(redis_url, project):
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            with pytest.raises(RunError, match="the connection was lost"):
                await rt.ask(agent("failing"), "Go.")
    assert done(project) == ["send"]


async def test_a_call_that_ends_while_its_run_waits_leaves_it_waiting(redis_url, project):
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            run = (await rt.ask(agent("both"), "Go.")).run_id
            (project / "go").touch()
            await eventually(lambda: done(project) == ["slow"])

            async def is_recorded():
                return any(one.outcome for one in (await rt.runs.journal(run)).calls())

            await eventually(is_recorded)
            assert [one["value"] for one in await rt.runs.interrupts(run)] == ["Really?"]
            await rt.resume(run, "yes", agent=agent("both"))
            assert (await rt.runs.get(run)).status is RunStatus.SUCCESS
    assert done(project) == ["slow"]
