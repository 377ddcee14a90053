"""remember and recall_memory: facts of the user, or the thread, that the running graph serves."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore

from treadle.core.settings import Settings
from treadle.memory.store import Facts, RedisStore, thread_namespace, user_namespace
from treadle.tools import Effect, ToolContext, build_tool

CONTEXT = ToolContext(project=Path(), settings=Settings(), redis=None)
TOOLS = [build_tool(name, CONTEXT) for name in ("remember", "recall_memory")]


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    with RedisStore.from_conn_string(redis_url) as opened:
        yield opened


async def called(store, name, *, user=None, thread="t", **arguments):
    """Return the message of a tool that a graph called."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode(TOOLS))
    builder.add_edge(START, "tools")
    graph = builder.compile(store=store)
    asked = AIMessage("", tool_calls=[{"id": "1", "name": name, "args": arguments}])
    config = {"configurable": {"thread_id": thread} | ({"user_id": user} if user else {})}
    state = await graph.ainvoke({"messages": [HumanMessage("hi"), asked]}, config)
    message = state["messages"][-1]
    assert isinstance(message, ToolMessage)
    return message


def test_what_they_declare():
    remember, recall = TOOLS
    assert (remember.effect, recall.effect) == (Effect.KEYED, Effect.READ)
    assert set(remember.args) == {"text", "about"}
    assert set(recall.args) == {"query", "as_of", "limit"}


@pytest.mark.parametrize("kind", ["redis", "in memory"])
async def test_what_is_remembered_is_recalled_on_another_thread(store, kind):
    used = store if kind == "redis" else InMemoryStore()
    kept = await called(
        used, "remember", user="a@b.c", text="Her dog is called Rex.", about="dog's name"
    )
    assert kept.status == "success"
    assert "Rex" in kept.content
    found = await called(used, "recall_memory", user="a@b.c", thread="other", query="dog")
    assert "Her dog is called Rex." in found.content
    assert "said on 20" in found.content
    assert found.artifact["sources"][0]["title"] == "Remembered about dog's name"
    for user in ("bob", None):
        nothing = await called(used, "recall_memory", user=user, query="dog")
        assert nothing.content == "Nothing was kept."


async def test_without_a_user_facts_belong_to_the_thread(store):
    await called(store, "remember", text="It is about whales.", about="topic")
    assert "whales" in (await called(store, "recall_memory")).content
    other = await called(store, "recall_memory", thread="other")
    assert other.content == "Nothing was kept."
    assert store.forget(thread_namespace("t")).items == 1


async def test_only_what_is_true_is_recalled_and_then_what_was(store):
    facts = Facts(store, user_namespace("u", "facts"))
    for moment, city in (("2026-01-01", "Lyon"), ("2026-03-01", "Oslo")):
        await facts.remember(f"Lives in {city}.", about="home", said_at=_at(moment))
    now = (await called(store, "recall_memory", user="u")).content
    assert "Oslo" in now
    assert "said on 2026-03-01" in now
    assert "Lyon" not in now
    then = await called(store, "recall_memory", user="u", as_of="2026-02-28")
    assert "Lives in Lyon." in then.content
    assert "true until 2026-03-01" in then.content
    assert "Oslo" not in then.content
    day = await called(store, "recall_memory", user="u", as_of="2026-03-01")
    assert "Oslo" in day.content
    before = await called(store, "recall_memory", user="u", as_of="2025-01-01")
    assert before.content == "Nothing was kept that was true on 2025-01-01."


def _at(day):
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


async def test_a_repeated_call_keeps_one_fact(store):
    remember = TOOLS[0]

    async def twice(state):
        for key, text in (("1", "Likes tea."), ("2", "Likes mate."), ("1", "Likes tea.")):
            await remember.coroutine(text=text, about="drink", idempotency_key=key)

    builder = StateGraph(MessagesState)
    builder.add_node("twice", twice)
    builder.add_edge(START, "twice")
    config = {"configurable": {"user_id": "u"}}
    await builder.compile(store=store).ainvoke({"messages": []}, config)
    facts = Facts(store, user_namespace("u", "facts"))
    assert [fact.text for fact in await facts.history("drink")] == ["Likes tea.", "Likes mate."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "remember", "text": "", "about": "x"}, "says nothing"),
        ({"name": "remember", "text": "x" * 5_000, "about": "x"}, "5000 characters"),
        ({"name": "recall_memory", "as_of": "yesterday"}, "'yesterday' is no date"),
        ({"name": "recall_memory", "limit": "many"}, "arguments do not fit"),
    ],
)
async def test_what_cannot_be_done_is_told_to_the_model(store, arguments, message):
    failed = await called(store, arguments.pop("name"), **arguments)
    assert failed.status == "error"
    assert message in failed.content


@pytest.mark.parametrize("name", ["remember", "recall_memory"])
async def test_without_a_store_or_a_graph_the_model_is_told(name):
    arguments = {"text": "x", "about": "y"} if name == "remember" else {}
    failed = await called(None, name, user="u", **arguments)
    assert failed.status == "error"
    assert "only inside a graph with a store" in failed.content
    made = build_tool(name, CONTEXT)
    call = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
    alone = await made.ainvoke(call, {"configurable": {"user_id": "u"}})
    assert "only inside a graph with a store" in alone.content
    nobody = await made.ainvoke(call)
    assert "neither a user nor a thread" in nobody.content
