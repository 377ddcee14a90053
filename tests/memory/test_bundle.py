"""All of a tenant's memory together: what is noted, looked up and forgotten."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.memory.saver.graphs import chat_graph, thread
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


def turn(number):
    return [HumanMessage(f"question {number}", id=f"q{number}"), AIMessage("Yes.", id=f"a{number}")]


async def say_and_note(memory, messages):
    """Bring messages into a state as a run does, and note what it holds then."""
    graph = chat_graph(memory.saver, lambda _: {"messages": []})
    state = await graph.ainvoke({"messages": messages}, thread())
    await memory.note("t", state["messages"])
    return state["messages"]


async def bytes_of(client, work):
    """Return how many bytes Redis is sent by some work."""
    before = (await client.info("stats"))["total_net_input_bytes"]
    await work
    return (await client.info("stats"))["total_net_input_bytes"] - before


async def test_noting_a_state_sends_what_is_new_however_long_the_thread(client):
    memory = Memory(client)
    for number in range(80):
        state = await say_and_note(memory, turn(number))
    again = await bytes_of(client, memory.note("t", state))
    state = [*state, *turn(80)]
    more = await bytes_of(client, memory.note("t", state))
    fresh = await bytes_of(client, Memory(client).note("t", state))
    assert again < 500
    assert more < 2_000
    assert fresh > 10_000
    assert await memory.transcript.count("t") == 162


async def test_what_another_process_took_back_or_forgot_is_noted_again(client):
    memory, elsewhere = Memory(client), Memory(client)
    state = [message for number in range(3) for message in turn(number)]
    state = await say_and_note(memory, state)
    await elsewhere.unsay("t", ["q2", "a2"])
    await memory.note("t", state)
    assert await memory.transcript.count("t") == 6
    await elsewhere.transcript.forget("t")
    await memory.note("t", state)
    assert await memory.transcript.count("t") == 6
    await memory.note("t", state)
    assert await memory.transcript.count("t") == 6


async def test_an_edit_of_another_process_is_overwritten_by_the_state_that_comes_next(client):
    memory, elsewhere = Memory(client), Memory(client)
    state = await say_and_note(memory, turn(0))
    await elsewhere.transcript.add("t", [AIMessage("No.", id="a0")])
    await memory.note("t", state)
    assert (await memory.transcript.read("t", "a0")).message.text == "Yes."
    edited = await say_and_note(memory, [AIMessage("Perhaps.", id="a0")])
    assert (await memory.transcript.read("t", "a0")).message.text == "Perhaps."
    await memory.note("t", [*edited, *turn(1)])
    assert [one.message.text for one in (await memory.transcript.page("t")).messages] == [
        *("question 0", "Perhaps."),
        *("question 1", "Yes."),
    ]
