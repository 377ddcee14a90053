"""The runtime through its public door, with a real Redis and a real socket to the model."""

import asyncio
import json
from functools import partial

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent, Budget, ClientTool
from treadle.core.errors import (
    ConfigError,
    InputError,
    ModelError,
    RedisError,
    RunError,
    UnknownNameError,
)
from treadle.runtime import (
    CallDelta,
    CallFinished,
    CallStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    Runtime,
    SyncRuntime,
)
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, hang, say, server_error

CALCULATOR = Agent(name="calculator", tools=("calculate",))
SUM = [calls(call("calculate", expression="2+2"), text="I calculate."), say("It is 4.")]


def opened(server, redis_url, project):
    return Runtime.open(redis_url, project, settings=settings_for(server))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


async def test_an_agent_answers_and_says_what_it_cost(redis_url, tmp_path):
    with ScriptedOpenAI(SUM) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            reply = await rt.ask(CALCULATOR, "What is 2 and 2?")
    assert reply.text == "It is 4."
    assert (reply.usage.model_calls, reply.usage.tool_calls) == (2, 1)
    assert reply.usage.input_tokens == server.billed.input_tokens
    assert reply.usage.output_tokens == server.billed.output_tokens
    expected = (server.billed.input_tokens * 1 + server.billed.output_tokens * 2) / 1_000_000
    assert float(reply.usage.usd) == pytest.approx(expected)
    assert reply.stopped == ""


async def test_every_step_is_an_event_in_order(redis_url, tmp_path):
    with ScriptedOpenAI(SUM) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            events = [event async for event in rt.stream(CALCULATOR, "What is 2 and 2?")]
    steps = [event for event in events if not isinstance(event, CallDelta)]
    assert [type(event) for event in steps] == [
        RunStarted, CallStarted, CallFinished, CallStarted, CallFinished, CallStarted,
        CallFinished, RunFinished,
    ]  # fmt: skip
    assert steps[2].thought == "I calculate."
    assert (steps[3].name, steps[3].arguments) == ("calculate", {"expression": "2+2"})
    assert "4" in steps[4].text
    assert steps[6].text == "It is 4."
    assert "".join(e.text for e in events if isinstance(e, CallDelta)) == "I calculate.It is 4."
    for event in events:
        json.dumps(event.to_dict(), default=str)


async def test_a_thread_is_remembered_by_another_process_later(redis_url, tmp_path):
    with ScriptedOpenAI([say("Hello Ada."), say("Ada.")]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            first = await rt.ask(CALCULATOR, "I am Ada.")
        async with opened(server, redis_url, tmp_path) as rt:
            await rt.ask(CALCULATOR, "Who am I?", thread=first.thread_id)
    texts = [message["content"] for message in server.requests[1].messages[1:]]
    assert texts == ["I am Ada.", "Hello Ada.", "Who am I?"]


async def test_threads_do_not_see_each_other(redis_url, tmp_path):
    with ScriptedOpenAI([say("Hello."), say("I do not know.")]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            await rt.ask(CALCULATOR, "I am Ada.", thread="one")
            await rt.ask(CALCULATOR, "Who am I?", thread="two")
    assert "Ada" not in str(server.requests[1].messages)


async def test_two_questions_on_one_thread_are_answered_one_after_the_other(redis_url, tmp_path):
    def echo(request):
        return say(f"You said: {request.last_user_text}")

    with ScriptedOpenAI(echo) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            await asyncio.gather(*(rt.ask(CALCULATOR, f"number {n}", thread="t") for n in range(8)))
            turns = await rt.threads.show("t")
    assert len(turns) == 16
    for question, answer in zip(turns[::2], turns[1::2], strict=True):
        assert answer.text == f"You said: {question.text}"


async def test_a_hundred_questions_at_once_on_threads_of_their_own(redis_url, tmp_path):
    def echo(request):
        return say(f"You said: {request.last_user_text}")

    with ScriptedOpenAI(echo) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            replies = await asyncio.gather(
                *(rt.ask(CALCULATOR, f"number {n}", thread=f"t{n}") for n in range(100))
            )
    assert [reply.text for reply in replies] == [f"You said: number {n}" for n in range(100)]


async def test_a_question_whose_run_fails_stays_on_the_thread(redis_url, tmp_path):
    with ScriptedOpenAI([server_error(), say("Back again.")]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            with pytest.raises(ModelError, match="the provider failed"):
                await rt.ask(CALCULATOR, "Are you there?", thread="t")
            await rt.ask(CALCULATOR, "And now?", thread="t")
            turns = await rt.threads.show("t")
    assert [turn.text for turn in turns] == ["Are you there?", "And now?", "Back again."]


async def test_a_failing_run_ends_its_stream_with_the_reason(redis_url, tmp_path):
    with ScriptedOpenAI([server_error()]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            events = [event async for event in rt.stream(CALCULATOR, "Are you there?")]
    assert isinstance(events[-1], RunFailed)
    assert "the provider failed" in events[-1].error
    assert events[-1].usage.model_calls == 1


async def test_leaving_a_stream_cancels_the_run_and_frees_the_thread(redis_url, tmp_path):
    with ScriptedOpenAI([hang(say("Slow."), after_chunks=2), say("Fresh.")]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            events = rt.stream(CALCULATOR, "Wait for it.", thread="t")
            async for event in events:
                if isinstance(event, CallDelta):
                    break
            await events.aclose()
            reply = await rt.ask(CALCULATOR, "Next.", thread="t")
            turns = await rt.threads.show("t")
    assert reply.text == "Fresh."
    assert [turn.text for turn in turns] == ["Wait for it.", "Next.", "Fresh."]


@pytest.mark.parametrize(
    ("budget", "script", "reason"),
    [
        (Budget(model_calls=1), SUM[:1], "1 model calls"),
        (Budget(tokens=1), [], "1 tokens"),
        (Budget(usd="0.000001"), [], "US dollars"),
    ],
)
async def test_a_spent_budget_ends_the_run_with_what_is_known(
    redis_url, tmp_path, budget, script, reason
):
    agent = CALCULATOR.model_copy(update={"budget": budget})
    with ScriptedOpenAI(script) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            reply = await rt.ask(agent, "What is 2 and 2?")
    assert reason in reply.stopped
    assert reply.text.startswith("I had to stop")


async def test_parallel_tool_calls_cannot_pass_a_limit_together(redis_url, tmp_path):
    many = calls(*(call("calculate", expression=f"{n}+1") for n in range(10)))
    agent = CALCULATOR.model_copy(update={"budget": Budget(tool_calls=3)})
    with ScriptedOpenAI([many, say("Done.")]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            reply = await rt.ask(agent, "Add up.")
    assert reply.usage.tool_calls == 3
    assert str(server.requests[1].messages).count("Not called") == 7


async def test_money_without_a_price_is_refused_before_the_run(redis_url, tmp_path):
    agent = CALCULATOR.model_copy(update={"budget": Budget(usd=1)})
    with ScriptedOpenAI([]) as server:
        settings = settings_for(server, price=None)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            with pytest.raises(ConfigError, match="price"):
                await rt.ask(agent, "What is 2 and 2?")


@pytest.mark.parametrize(
    ("text", "thread", "expected"),
    [
        ("", None, "question is empty"),
        (" \n\t", None, "question is empty"),
        ("x" * 1_000_000, None, "1,000,000 characters"),
        ("hello", "", "thread id is empty"),
        ("hello", "x" * 201, "201 characters"),
        ("hello", "a\nb", "control characters"),
    ],
)
async def test_unusable_input_is_refused_with_the_reason(
    redis_url, tmp_path, text, thread, expected
):
    with ScriptedOpenAI([]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            with pytest.raises(InputError, match=expected):
                await rt.ask(CALCULATOR, text, thread=thread)
            assert await rt.threads.recent() == []


async def test_unknown_names_offer_the_nearest(redis_url, tmp_path):
    with ScriptedOpenAI([]) as server:
        async with opened(server, redis_url, tmp_path) as rt:
            with pytest.raises(UnknownNameError, match="Did you mean 'assistant'"):
                await rt.ask("asistant", "hello")
            with pytest.raises(UnknownNameError, match="Did you mean 'calculate'"):
                await rt.ask(Agent(name="a", tools=("calculat",)), "hello")
            with pytest.raises(UnknownNameError, match="Did you mean 'react'"):
                await rt.ask(Agent(name="a", graph="reakt"), "hello")
            with pytest.raises(UnknownNameError, match="provider:model"):
                await rt.ask(Agent(name="a", model="gpt"), "hello")


NAMED = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"tools": ("calculate", "own.py:calculate")},
            r"'calculate' and 'own\.py:calculate' are both named 'calculate'",
        ),
        (
            {"tools": ("own.py:calculate", "calculate")},
            r"'own\.py:calculate' and 'calculate' are both named 'calculate'",
        ),
        ({"tools": ("own.py:read_more",)}, "2 tools are named 'read_more'"),
        (
            {
                "tools": ("own.py:calculate",),
                "client_tools": (ClientTool(name="calculate", parameters=NAMED),),
            },
            "2 tools are named 'calculate'",
        ),
    ],
)
async def test_two_tools_of_one_name_are_refused(redis_url, tmp_path, fields, said):
    (tmp_path / "own.py").write_text(
        'def calculate() -> str:\n    """Guess."""\n    return "5"\n'
        'def read_more() -> str:\n    """Read."""\n    return ""\n'
    )
    async with Runtime.open(redis_url, tmp_path) as rt:
        with pytest.raises(ConfigError, match=said):
            await rt.ask(Agent(name="a", model="embedded", **fields), "What is 2+2?")


async def test_a_redis_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RedisError, match=r"127\.0\.0\.1:1"):
        async with Runtime.open("redis://127.0.0.1:1", tmp_path):
            pass


GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

def reply(state):
    text = state["messages"][-1].text
    if text == "fail":
        raise RuntimeError("the node broke")
    if text == "end":
        return next(iter([]))
    return {"messages": [AIMessage(f"heard {text}")]}

graph = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply")
compiled = graph.compile()
def made():
    return graph
def broken():
    return 1 / 0
number = 3
"""


@pytest.mark.parametrize("name", ["graph", "compiled", "made"])
async def test_a_langgraph_graph_of_the_project_runs_with_memory(redis_url, tmp_path, name):
    (tmp_path / "mine.py").write_text(GRAPH)
    agent = Agent(name="mine", graph=f"mine.py:{name}")
    async with Runtime.open(redis_url, tmp_path) as rt:
        assert (await rt.ask(agent, "one", thread="t")).text == "heard one"
        assert (await rt.ask(agent, "two", thread="t")).text == "heard two"
        assert [turn.text for turn in await rt.threads.show("t")] == [
            "one", "heard one", "two", "heard two",
        ]  # fmt: skip


async def test_a_graph_that_cannot_be_used_is_explained(redis_url, tmp_path):
    (tmp_path / "mine.py").write_text(GRAPH)
    async with Runtime.open(redis_url, tmp_path) as rt:
        with pytest.raises(ConfigError, match="ZeroDivisionError"):
            rt.graph(Agent(name="mine", graph="mine.py:broken"))
        with pytest.raises(ConfigError, match="is a int, not a LangGraph graph"):
            rt.graph(Agent(name="mine", graph="mine.py:number"))
        with pytest.raises(ConfigError, match="takes no options"):
            rt.graph(Agent(name="mine", graph="mine.py:graph", options={"a": 1}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fail", "RuntimeError: the node broke"),
        ("end", "StopIteration: no reason given"),
    ],
)
async def test_whatever_a_node_raises_its_run_ends_with_it(redis_url, tmp_path, text, reason):
    (tmp_path / "mine.py").write_text(GRAPH)
    async with Runtime.open(redis_url, tmp_path) as rt:
        with pytest.raises(RunError, match=reason):
            await rt.ask(Agent(name="mine", graph="mine.py:graph"), text)
        [run] = await rt.runs.recent()
        assert (run.status, reason in run.error) == (RunStatus.ERROR, True)


def test_scripts_use_it_without_an_event_loop(redis_url, tmp_path):
    with ScriptedOpenAI(SUM * 4) as server:
        settings = settings_for(server)
        with SyncRuntime.open(redis_url, tmp_path, settings=settings) as rt:
            assert rt.ask(CALCULATOR, "What is 2 and 2?").text == "It is 4."
            events = list(rt.stream(CALCULATOR, "What is 2 and 2?"))
            assert len(rt.call(rt.runtime.threads.recent)) == 2
            asked = rt.ask(CALCULATOR, "What is 2 and 2?", user="ada")
            told = list(rt.stream(CALCULATOR, "What is 2 and 2?", user="bob", pieces=False))
            runs = [
                rt.call(partial(rt.runtime.runs.get, id_))
                for id_ in (asked.run_id, told[-1].reply.run_id)
            ]
            assert [run.user for run in runs] == ["ada", "bob"]
            assert not any(isinstance(event, CallDelta) for event in told)
    assert isinstance(events[-1], RunFinished)
