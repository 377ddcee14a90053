"""Listing, reading, exporting and forgetting conversations."""

import json

import pytest
from langchain_core.messages import HumanMessage

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import UnknownNameError
from treadle.core.settings import Settings, ThreadSettings
from treadle.memory import connect, thread_root
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

AGENT = Agent(name="calculator", tools=("calculate",))
OWN_GRAPH = """
from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph

def node(state):
    old = [RemoveMessage(id=m.id) for m in state["messages"][:-1]]
    return {"messages": [*old, AIMessage(f"Seen {len(state['messages']) - len(old)}.")]}

graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")
"""
SCRIPT = [call("calculate", expression="2+2"), say("It is 4."), say("Goodbye.")]


@pytest.fixture
async def runtime(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    with ScriptedOpenAI(SCRIPT) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            await rt.ask(AGENT, "What is   2 and 2?", thread="sums {1}")
            await rt.ask(AGENT, "Bye, canary-7261!", thread="other")
            yield rt


async def test_the_newest_thread_comes_first(runtime):
    other, sums = await runtime.threads.recent()
    assert (other.id, other.title, other.turns) == ("other", "Bye, canary-7261!", 1)
    assert (sums.id, sums.title, sums.agent) == ("sums {1}", "What is 2 and 2?", "calculator")
    assert [thread.id for thread in await runtime.threads.recent(1)] == ["other"]


async def test_a_thread_is_shown_turn_by_turn(runtime):
    turns = await runtime.threads.show("sums {1}")
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "assistant"]
    assert turns[1].calls == ('calculate(expression="2+2")',)
    assert turns[2].tool == "calculate"


async def test_a_thread_is_exported_as_json_and_markdown(runtime):
    data = json.loads("".join([piece async for piece in runtime.threads.export_json("sums {1}")]))
    assert data["id"] == "sums {1}"
    assert data["messages"][-1]["text"] == "It is 4."
    assert (data["agent"], data["turns"]) == ("calculator", 1)
    text = "".join([piece async for piece in runtime.threads.export_markdown("sums {1}")])
    assert text.startswith("# Thread sums {1}\n\n## User\n\nWhat is   2 and 2?")
    assert "## Tool calculate" in text


async def test_forgetting_leaves_nothing_of_a_thread_behind(runtime, redis_url):
    assert await runtime.forget_thread("other") == {
        "threads": 1,
        "messages": 2,
        "recalled": 0,
        "facts": 0,
        "runs": 1,
        "approvals": 0,
    }
    with pytest.raises(UnknownNameError):
        await runtime.threads.show("other")
    assert [thread.id for thread in await runtime.threads.recent()] == ["sums {1}"]
    async with connect(redis_url) as redis:
        for key in await redis.keys("*"):
            assert b"other" not in key
            assert b"canary-7261" not in (await redis.dump(key) or b"")


async def test_an_unknown_thread_offers_the_nearest(runtime):
    threads = runtime.threads
    forgotten = runtime.forget_thread("othr")
    for asked in (threads.show("othr"), threads.search("othr", "x"), forgotten):
        with pytest.raises(UnknownNameError, match="Did you mean 'other'"):
            await asked
    for export in (threads.export_json, threads.export_markdown):
        with pytest.raises(UnknownNameError, match="Did you mean 'other'"):
            [piece async for piece in export("othr")]


async def test_a_thread_is_read_in_pages_and_searched(runtime):
    threads = runtime.threads
    latest = await threads.show("sums {1}", limit=1)
    assert [(turn.number, turn.text) for turn in latest] == [(3, "It is 4.")]
    assert [t.role for t in await threads.show("sums {1}", before=3, limit=2)] == [
        "assistant",
        "tool",
    ]
    assert [t.role for t in await threads.show("sums {1}", after=2)] == ["assistant"]
    assert [t.number for t in await threads.search("sums {1}", "WHAT 2")] == [0]


async def test_what_a_killed_run_said_is_shown_too(runtime):
    graph = runtime.graph(AGENT)
    config = {"configurable": {"thread_id": "other"}}
    await graph.aupdate_state(config, {"messages": [HumanMessage("Killed here.")]})
    assert [t.text for t in await runtime.threads.show("other")][-1] == "Killed here."


async def test_a_graph_of_ones_own_shows_its_messages(redis_url, tmp_path):
    (tmp_path / "own.py").write_text(OWN_GRAPH)
    async with Runtime.open(redis_url, tmp_path) as rt:
        for _ in range(2):
            await rt.ask(Agent(name="own", graph="own.py:graph"), "Hello?", thread="own")
        turns = await rt.threads.show("own")
    assert [turn.text for turn in turns] == ["Hello?", "Seen 1.", "Hello?", "Seen 1."]


async def test_threads_are_kept_for_as_long_as_the_settings_say(redis_url, tmp_path):
    keep = ThreadSettings(keep_days=1)
    async with Runtime.open(redis_url, tmp_path, settings=Settings(threads=keep)) as rt:
        reply = await rt.ask("assistant", "What is 2 and 2?")
        assert [thread.id for thread in await rt.threads.recent()] == [reply.thread_id]
    root = thread_root("treadle:main:", reply.thread_id).encode()
    async with connect(redis_url) as redis:
        of_thread = [key for key in await redis.keys("*") if key.startswith(root)]
        assert of_thread
        for key in of_thread:
            assert 0 < await redis.pttl(key) <= 30 * 86_400_000, key
        order = "treadle:main:{threads}:order"
        await redis.zincrby(order, -2 * 86_400, reply.thread_id)
    async with Runtime.open(redis_url, tmp_path, settings=Settings(threads=keep)) as rt:
        assert await rt.threads.recent() == []
