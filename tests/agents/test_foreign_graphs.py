"""Graphs that were not written for Treadle: every model and tool call of theirs is a call."""

import asyncio
import gc
import operator
import subprocess
import sys
from typing import Annotated

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime, tools_condition
from langgraph.types import Command, RetryPolicy, interrupt
from openai import AsyncOpenAI, RateLimitError

from tests.support.recording import Recording
from treadle.agents import Agent, instrument
from treadle.core import _scope, boundary
from treadle.core.calls import CallKind, Effect, Outcome, Permit
from treadle.core.errors import BoundaryError, ConfigError, ToolError
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, calls, rate_limited, say

SUM = [calls(call("add", a=2, b=2), call("add", a=3, b=3)), say("It is 4 and 6.")]
ASKED = {"messages": [HumanMessage("What is 2 and 2, and 3 and 3?")]}


@pytest.fixture(autouse=True)
def _instrumented():
    instrument()


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def opened(gate):
    return boundary.boundary(gate, thread_id="t", run_id="r")


def openai_model(server, **options) -> ChatOpenAI:
    shared = {"model": "gpt-5-mini", "max_retries": 0, "timeout": 5}
    return ChatOpenAI(base_url=server.base_url, api_key=server.api_key, **{**shared, **options})


def graph_of(model, tools=(add,), *, is_async=True, checkpointer=None):
    """Return the model and tool loop that LangGraph's own pages teach."""
    bound = model.bind_tools(tools)

    def think(state: MessagesState):
        return {"messages": [bound.invoke(state["messages"])]}

    async def athink(state: MessagesState):
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("think", athink if is_async else think)
    graph.add_node("tools", ToolNode(list(tools)))
    graph.add_edge(START, "think").add_conditional_edges("think", tools_condition)
    return graph.add_edge("tools", "think").compile(checkpointer=checkpointer)


def kinds(gate):
    return [(call.kind.value, call.name) for call in gate.calls]


_MODEL, _TOOL = ("model", "openai:gpt-5-mini"), ("tool", "add")
EXPECTED = [_MODEL, _TOOL, _TOOL, _MODEL]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_graph_as_langgraph_teaches_it_makes_its_calls_through_the_gate(is_async):
    gate = Recording()
    with ScriptedOpenAI(SUM) as server, opened(gate):
        state = await graph_of(openai_model(server), is_async=is_async).ainvoke(ASKED)
    assert kinds(gate) == EXPECTED
    assert [m.text for m in state["messages"]][-3:] == ["4", "6", "It is 4 and 6."]
    assert {c.effect for c in gate.calls if c.kind is CallKind.TOOL} == {Effect.ONCE}
    requests = [dict(call.request) for call in gate.calls[1:3]]
    # Plain functions are called at once, each in a thread: none is before the other.
    assert sorted(requests, key=str) == [{"a": 2, "b": 2}, {"a": 3, "b": 3}]
    assert len(gate.outcomes) == 4
    assert sum(o.usage.input_tokens for o in gate.outcomes) == server.billed.input_tokens > 0
    assert len({c.id for c in gate.calls}) == 4


async def test_create_agent_with_middleware_and_structured_output_goes_through_the_gate():
    gate = Recording()
    limits = [ModelCallLimitMiddleware(run_limit=5), ToolCallLimitMiddleware(run_limit=5)]
    with ScriptedOpenAI(SUM) as server, opened(gate):
        agent = create_agent(openai_model(server), [add], middleware=limits)
        await agent.ainvoke(ASKED)
    assert kinds(gate) == EXPECTED
    with ScriptedOpenAI([say('{"x": 1}')]) as server, opened(gate):
        schema = {"title": "x", "type": "object", "properties": {"x": {"type": "integer"}}}
        assert await openai_model(server).with_structured_output(schema).ainvoke("x") == {"x": 1}
    assert len(gate.calls) == 5


async def test_outside_a_boundary_everything_is_as_it_was():
    with ScriptedOpenAI(SUM) as server:
        state = await graph_of(model := openai_model(server)).ainvoke(ASKED)
    assert type(model) is ChatOpenAI
    assert state["messages"][-1].text == "It is 4 and 6."


async def test_answers_keep_streaming_from_async_and_plain_nodes():
    for is_async in (True, False):
        gate = Recording()
        with ScriptedOpenAI([say("one two three four")]) as server, opened(gate):
            graph = graph_of(openai_model(server), is_async=is_async)
            told = [c.text async for c, _ in graph.astream(ASKED, stream_mode="messages")]
        assert "".join(told) == "one two three four"
        assert len([text for text in told if text]) > 2
        assert "".join(text for text, _ in gate.deltas) == "one two three four"
        assert len(gate.calls) == len(gate.outcomes) == 1


async def test_events_of_a_graph_keep_streaming():
    gate = Recording()
    with ScriptedOpenAI([say("one two three four")]) as server, opened(gate):
        events = [e async for e in graph_of(openai_model(server)).astream_events(ASKED)]
    pieces = [e["data"]["chunk"].text for e in events if e["event"] == "on_chat_model_stream"]
    assert len([text for text in pieces if text]) > 2
    assert len(gate.calls) == len(gate.outcomes) == 1


async def test_fallbacks_and_retries_see_their_providers_errors_and_each_attempt_is_a_call():
    gate = Recording()
    script = [rate_limited(), rate_limited(), say("at last")]
    with ScriptedOpenAI(script) as server, opened(gate):
        first = openai_model(server).with_retry(
            retry_if_exception_type=(RateLimitError,), stop_after_attempt=2,
            exponential_jitter_params={"initial": 0.001, "max": 0.001},
        )  # fmt: skip
        model = first.with_fallbacks([openai_model(server)], exceptions_to_handle=(RateLimitError,))
        assert (await model.ainvoke("hi")).text == "at last"
    assert [isinstance(o.error, RateLimitError) for o in gate.outcomes] == [True, True, False]
    assert [c.position.ordinal for c in gate.calls] == [0, 1, 2]


async def test_models_that_hold_state_or_cannot_stream_stay_what_they_are():
    gate = Recording()
    with opened(gate):
        listed = FakeListChatModel(responses=["one", "two"])
        assert [(await listed.ainvoke("hi")).text for _ in range(2)] == ["one", "two"]
        spoken = GenericFakeChatModel(messages=iter([AIMessage("a b"), AIMessage("c d")]))
        assert [p.text async for p in spoken.astream("hi") if p.text] == ["a", " ", "b"]
        assert isinstance(spoken, GenericFakeChatModel)
        assert (await spoken.ainvoke("hi")).text == "c d"
    assert len(gate.calls) == len(gate.outcomes) == 4


class _State(MessagesState):
    seen: Annotated[list[str], operator.add]


@tool(response_format="content_and_artifact")
def look(place: str, state: Annotated[dict, InjectedState], runtime: ToolRuntime):
    """Look at a place."""
    return f"{place}: {len(state['messages'])} {runtime.tool_call_id != ''}", {"at": place}


@tool
def note(text: str, call_id: Annotated[str, InjectedToolCallId]):
    """Write a note."""
    return Command(
        update={"seen": [text], "messages": [ToolMessage("noted", tool_call_id=call_id)]}
    )


class Shout(BaseTool):
    name: str = "shout"
    description: str = "Shout."
    metadata: dict | None = {"treadle_effect": "read"}  # noqa: RUF012 - a pydantic field

    def _run(self, text: str) -> str:
        return text.upper()


async def test_injected_arguments_artifacts_and_commands_work():
    script = [
        calls(call("look", place="sea"), call("note", text="tide"), call("shout", text="hey")),
        calls(call("look", plce="wrong")),
        say("done"),
    ]

    gate = Recording()
    with ScriptedOpenAI(script) as server, opened(gate):
        tools = [look, note, Shout()]
        agent = create_agent(openai_model(server), tools, state_schema=_State)
        state = await agent.ainvoke({**ASKED, "seen": []})
    tools = {c.name: c for c in reversed(gate.calls) if c.kind is CallKind.TOOL}
    assert dict(tools["look"].request) == {"place": "sea"}
    assert dict(tools["note"].request) == {"text": "tide"}
    assert tools["shout"].effect is Effect.READ
    assert state["seen"] == ["tide"]
    answers = {m.name: m for m in reversed(state["messages"]) if isinstance(m, ToolMessage)}
    assert answers["look"].text.startswith("sea: 2 True")
    assert answers["look"].artifact == {"at": "sea"}
    assert answers["shout"].text == "HEY"
    assert kinds(gate).count(("tool", "look")) == 1, "arguments that do not fit are no call"


class Answers:
    """A gate that answers from what another recorded, by the calls' ids."""

    def __init__(self, recorded: Recording) -> None:
        pairs = zip(recorded.calls, recorded.outcomes, strict=True)
        self._known = {call.id: outcome for call, outcome in pairs}

    async def before(self, call):
        return self._known[call.id]

    async def after(self, call, outcome):
        return outcome

    def delta(self, call, text, purpose):
        """Nothing is heard."""


async def test_a_call_with_a_known_outcome_is_not_made_again():
    """Standing alone, without checkpoint ids, the same calls have the same places."""

    async def use():
        model = GenericFakeChatModel(messages=iter(words))
        message = await model.ainvoke("hi")
        asked = {"name": "look_up", "args": {"n": 1}, "id": "c1", "type": "tool_call"}
        return message, await look_up.ainvoke(asked), await look_up.ainvoke({"n": 2})

    made = []

    @tool
    def look_up(n: int) -> str:
        """Look up."""
        made.append(n)
        return f"number {n}"

    words = [AIMessage("one")]
    gate = Recording()
    with opened(gate):
        first = await use()
    words = []
    with opened(Answers(gate)):
        assert await use() == first
    assert made == [1, 2]


async def test_a_gate_may_change_arguments_answer_or_refuse():
    class Terms(Recording):
        async def before(self, call):
            await super().before(call)
            if call.request["a"] == 1:
                return Permit({"a": 10, "b": 10})
            if call.request["a"] == 2:
                return Outcome(value=("as a person said", None))
            raise ToolError("not allowed", hint="Do without.")

    def ask(a):
        return {"name": "add", "args": {"a": a, "b": 1}, "id": "c1", "type": "tool_call"}

    with opened(Terms()):
        for invoke in (add.ainvoke, lambda asked: asyncio.to_thread(add.invoke, asked)):
            answers = [await invoke(ask(a)) for a in (1, 2, 3)]
            assert [a.text for a in answers] == [
                "20",
                "as a person said",
                "not allowed Do without.",
            ]
            assert [a.status for a in answers] == ["success", "success", "error"]
        with pytest.raises(ToolError):
            await add.ainvoke({"a": 3, "b": 1})


async def test_a_keyed_tool_is_handed_its_key_and_a_wrong_declaration_is_named():
    @tool
    def pay(usd: int, idempotency_key: Annotated[str, InjectedToolArg]) -> str:
        """Pay."""
        return idempotency_key

    pay.metadata = {"treadle_effect": "keyed"}
    gate = Recording()
    with opened(gate):
        assert await pay.ainvoke({"usd": 3}) == gate.calls[0].idempotency_key
        assert dict(gate.calls[0].request) == {"usd": 3}
        pay.metadata = {"treadle_effect": "kyed"}
        with pytest.raises(ConfigError, match="'kyed'"):
            await pay.ainvoke({"usd": 3})
        unkeyed = add.model_copy(update={"metadata": {"treadle_effect": "keyed"}})
        with pytest.raises(ConfigError, match="idempotency_key"):
            await unkeyed.ainvoke({"a": 3, "b": 4})


async def test_an_interrupt_in_a_tool_is_a_pause_and_the_same_call_goes_on():
    @tool
    def confirm(what: str) -> str:
        """Ask a person."""
        return f"{what}: {interrupt(what)}"

    gate = Recording()
    config = {"configurable": {"thread_id": "t"}}
    with ScriptedOpenAI([call("confirm", what="send"), say("sent")]) as server, opened(gate):
        agent = create_agent(openai_model(server), [confirm], checkpointer=InMemorySaver())
        paused = await agent.ainvoke(ASKED, config)
        assert [i.value for i in paused["__interrupt__"]] == ["send"]
        assert gate.outcomes[-1].is_paused
        assert gate.outcomes[-1].usage.tool_calls == 0
        state = await agent.ainvoke(Command(resume="yes"), config)
    assert [m.text for m in state["messages"][-2:]] == ["send: yes", "sent"]
    first, again = [c for c in gate.calls if c.kind is CallKind.TOOL]
    assert first.id == again.id
    assert [o.is_paused for o in gate.outcomes] == [False, True, False, False]


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit])
async def test_a_tool_that_would_end_more_than_its_call_ends_that(raised):
    @tool
    async def leave() -> str:
        """Leave."""
        raise raised(3)

    @tool
    def slip() -> str:
        """Slip."""
        raise raised(4)

    gate = Recording()
    with opened(gate):
        for culprit, code in ((leave, 3), (slip, 4)):
            with pytest.raises(BoundaryError, match=f"{raised.__name__}: {code}"):
                await culprit.ainvoke({})
    assert [type(o.error) for o in gate.outcomes] == [BoundaryError, BoundaryError]


async def test_plain_calls_in_an_async_node_are_refused_with_advice_and_do_not_hang():
    async def node(state: MessagesState):
        return {"messages": [model.invoke("hi")]}

    model = FakeListChatModel(responses=["one"])
    graph = StateGraph(MessagesState).add_node(node).add_edge(START, "node").compile()
    with opened(Recording()), pytest.raises(BoundaryError, match="ainvoke"):
        await graph.ainvoke(ASKED)


async def test_a_graph_that_blocks_the_loop_is_named_and_does_not_hang(monkeypatch):
    monkeypatch.setattr(_scope, "LOOP_PATIENCE_SECONDS", 0.05)

    def leaf(state: MessagesState):
        return {"messages": [FakeListChatModel(responses=["one"]).invoke("hi")]}

    inner = StateGraph(MessagesState).add_node("x", leaf).add_node("y", leaf)
    blocking = inner.add_edge(START, "x").add_edge(START, "y").compile()

    async def node(state: MessagesState):
        return blocking.invoke(state)

    graph = StateGraph(MessagesState).add_node(node).add_edge(START, "node").compile()
    with opened(Recording()), pytest.raises(BoundaryError, match="blocked"):
        await graph.ainvoke(ASKED)


async def test_branches_subgraphs_and_gathered_calls_have_places_of_their_own():
    async def both(state: MessagesState):
        models = [FakeListChatModel(responses=[str(n)]) for n in range(5)]
        found = await asyncio.gather(*(model.ainvoke(str(n)) for n, model in enumerate(models)))
        return {"messages": found}

    def plain(state: MessagesState):
        return {"messages": [FakeListChatModel(responses=["plain"]).invoke("hi")]}

    inner = StateGraph(MessagesState).add_node(both).add_edge(START, "both").compile()
    graph = StateGraph(MessagesState).add_node("inner", inner).add_node(plain)
    graph = graph.add_edge(START, "inner").add_edge(START, "plain").compile()
    gate = Recording()
    with opened(gate):
        await graph.ainvoke(ASKED)
    places = sorted((c.position.path, c.position.ordinal, c.request["messages"][0].text)
                    for c in gate.calls)  # fmt: skip
    assert places == [*(("inner|both", n, str(n)) for n in range(5)), ("plain", 0, "hi")]


async def test_calls_of_an_agent_that_is_a_tool_stand_inside_its_call():
    @tool
    async def delegate(task: str) -> str:
        """Ask another."""
        return (await FakeListChatModel(responses=["done"]).ainvoke(task)).text

    gate = Recording()
    with opened(gate):
        await delegate.ainvoke({"task": "a"})
        await delegate.ainvoke({"task": "b"})
    assert [(c.name, c.position.path, c.position.ordinal) for c in gate.calls] == [
        ("delegate", "", 0), ("FakeListChatModel", "~0", 0),
        ("delegate", "", 1), ("FakeListChatModel", "~1", 0),
    ]  # fmt: skip


async def test_a_node_that_is_retried_makes_the_same_calls_again():
    fails = [True]

    async def node(state: MessagesState):
        await add.ainvoke({"a": 1, "b": 1})
        answer = await FakeListChatModel(responses=["one"]).ainvoke("hi")
        if fails and fails.pop():
            raise ConnectionError("once")
        return {"messages": [answer]}

    policy = RetryPolicy(initial_interval=0.001, jitter=False)
    graph = StateGraph(MessagesState).add_node("node", node, retry_policy=policy)
    gate = Recording()
    with opened(gate):
        graph = graph.add_edge(START, "node").compile(checkpointer=InMemorySaver())
        thread = {"configurable": {"thread_id": "t"}}
        await graph.ainvoke(ASKED, thread, durability="sync")
    ids = [c.id for c in gate.calls]
    assert ids[:2] == ids[2:]
    assert [c.position.attempt for c in gate.calls] == [1, 1, 2, 2]


class Waits(Recording):
    """A gate that can be waited for: a stream left half way is closed when it is collected."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    async def after(self, call, outcome):
        self.told.set()
        return await super().after(call, outcome)


async def test_a_stream_that_a_node_leaves_half_way_is_told_of_once():
    async def anode(state: MessagesState):
        async for _ in model.astream("hi"):
            break
        return {}

    def node(state: MessagesState):
        next(model.stream("hi"))
        return {}

    for leaving in (anode, node):
        model = GenericFakeChatModel(messages=iter([AIMessage("a b c")]))
        graph = StateGraph(MessagesState).add_node("x", leaving).add_edge(START, "x").compile()
        gate = Waits()
        with opened(gate):
            await graph.ainvoke(ASKED)
            gc.collect()
            async with asyncio.timeout(5):
                await gate.told.wait()
        assert [type(o.error) for o in gate.outcomes] == [GeneratorExit]


async def test_what_does_not_use_langchain_is_not_seen():
    gate = Recording()
    with ScriptedOpenAI([say("unseen")]) as server, opened(gate):
        client = AsyncOpenAI(base_url=server.base_url, api_key=server.api_key)

        async def node(state: MessagesState):
            done = await client.chat.completions.create(
                model="gpt-5-mini", messages=[{"role": "user", "content": "hi"}]
            )
            return {"messages": [AIMessage(done.choices[0].message.content)]}

        graph = StateGraph(MessagesState).add_node(node).add_edge(START, "node").compile()
        state = await graph.ainvoke(ASKED)
        await client.close()
    assert state["messages"][-1].text == "unseen"
    assert gate.calls == []


def test_a_process_without_foreign_graphs_is_left_alone():
    source = """
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
doors = BaseTool.run, BaseTool.arun, BaseChatModel.astream, BaseChatModel._agenerate_with_cache
from treadle.agents import Agent, instrument
now = BaseTool.run, BaseTool.arun, BaseChatModel.astream, BaseChatModel._agenerate_with_cache
assert doors == now
instrument(); instrument()
assert BaseTool.run.__wrapped__ is doors[0]
"""
    subprocess.run([sys.executable, "-c", source], check=True, timeout=60)


GRAPH = """
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

graph = create_agent(ChatOpenAI(model="gpt-5-mini", base_url="{url}", api_key="k"), [add])
"""


async def test_the_runtime_counts_what_a_projects_own_graph_calls(redis_url, tmp_path):
    with ScriptedOpenAI(SUM, api_key="k") as server:
        (tmp_path / "mine.py").write_text(GRAPH.format(url=server.base_url), "utf-8")
        async with Runtime.open(redis_url, tmp_path) as rt:
            reply = await rt.ask(Agent(name="mine", graph="mine.py:graph"), "2 and 2? 3 and 3?")
    assert reply.text == "It is 4 and 6."
    assert (reply.usage.model_calls, reply.usage.tool_calls) == (2, 2)
    assert reply.usage.input_tokens == server.billed.input_tokens
