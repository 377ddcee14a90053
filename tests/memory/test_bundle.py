"""All of a tenant's memory together: what is noted, looked up and forgotten."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.models import resolved
from treadle.graphs import GraphParts, react
from treadle.memory import connect
from treadle.memory.bundle import Memory
from treadle.memory.store import Facts, user_namespace
from treadle.runtime.testing import ScriptedOpenAI, say


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as opened:
        yield opened


async def test_what_is_known_of_the_user_is_shown_in_front_of_the_question(client):
    memory = Memory(client)
    known = Facts(memory.store, user_namespace("ada", "facts"))
    await known.remember("Her loom has four shafts.", about="loom")
    with ScriptedOpenAI([say("Four."), say("I do not know.")]) as server:
        parts = GraphParts(
            model=resolved(server).chat, window=memory.window(2_000), checkpointer=memory.saver
        )
        for user in ("ada", "bob"):
            configurable = {"thread_id": user, "user_id": user}
            asked = {"messages": [HumanMessage("How many shafts?")]}
            await react(parts).ainvoke(asked, {"configurable": configurable})
    of_ada, of_bob = [request.messages for request in server.requests]
    assert "> Her loom has four shafts. (said on " in of_ada[1]["content"]
    assert [m["role"] for m in of_bob] == ["system", "user"]


async def test_what_a_run_said_is_noted_once_and_forgotten_whole(client):
    memory = Memory(client)
    said = [HumanMessage("canary-7261", id="1"), AIMessage("Noted.", id="2")]
    await memory.note("t", said)
    await memory.note("t", [*said, HumanMessage("without an id")])
    assert await memory.transcript.count("t") == 2
    assert await memory.forget("t") == {"messages": 2, "recalled": 0, "facts": 0}
    assert await client.keys("*") == []
