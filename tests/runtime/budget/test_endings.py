"""How agents end at their budget: warned, with a last call, or with what they have."""

import pytest
from langchain_core.messages import HumanMessage

from tests.support.models import resolved
from tests.support.recording import Recording
from treadle.core.boundary import GateChain, boundary
from treadle.core.calls import CallKind, Effect
from treadle.core.headroom import DECISION
from treadle.core.limits import Limits
from treadle.core.usage import Usage
from treadle.graphs import STOPPED, GraphParts, chain_of_thought, react
from treadle.memory import connect
from treadle.runtime.budget import BudgetGate, Ledger, run_account
from treadle.runtime.testing import ScriptedOpenAI, call, say
from treadle.tools import tool


@tool(effect=Effect.READ)
def look_up(topic: str) -> str:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    return f"A {topic} has four shafts. " + "It is made of wood. " * 1_000


@pytest.fixture
async def ledger(redis_url):
    async with connect(redis_url) as client:
        yield Ledger(client)


async def ask(ledger, graph, spent=0, others=(), **limits):
    """Ask with a budget of which some model calls are spent; return the last message."""
    account = run_account("r", Limits(**limits))
    await ledger.settle(account, "before", Usage(model_calls=spent))
    gate = BudgetGate(ledger, [account], run_id="r")
    async with gate.open():
        with boundary(GateChain([gate, *others]), thread_id="t", run_id="r"):
            state = await graph.ainvoke({"messages": [HumanMessage("How many shafts?")]})
    return state["messages"][-1]


def react_of(server):
    return react(GraphParts(model=resolved(server).chat, tools=(look_up,)))


def thinking_of(server):
    return chain_of_thought(GraphParts(model=resolved(server).chat))


async def test_near_the_end_the_model_is_told_and_may_go_on(ledger):
    script = [call("look_up", topic="loom"), say("Four.")]
    with ScriptedOpenAI(script) as server:
        answer = await ask(ledger, react_of(server), spent=8, model_calls=11)
    assert answer.text == "Four."
    assert "82%" not in str(server.requests[0].messages)
    assert "82% of the run's 11 model calls are used" in str(server.requests[1].messages)
    assert server.requests[1].body.get("tool_choice") != "none"


async def test_the_last_call_is_for_the_answer(ledger):
    with ScriptedOpenAI([say("Four.")]) as server:
        answer = await ask(ledger, react_of(server), spent=9, model_calls=10)
    assert answer.text == "Four."
    assert answer.response_metadata[STOPPED].startswith("budget: no call fits after this one")
    assert server.requests[0].body["tool_choice"] == "none"


async def test_where_all_that_was_found_is_too_much_the_answer_is_asked_for_with_less(ledger):
    script = [call("look_up", topic="loom"), say("Four.")]
    with ScriptedOpenAI(script) as server:
        answer = await ask(ledger, react_of(server), input_tokens=6_000)
    assert answer.text == "Four."
    assert "of 6,000 input tokens" in answer.response_metadata[STOPPED]
    assert "loom has four shafts" in str(server.requests[1].messages)
    assert "tools" not in server.requests[1].body


async def test_where_nothing_more_fits_the_answer_is_what_is_known(ledger):
    with ScriptedOpenAI([]) as server:
        answer = await ask(ledger, react_of(server), spent=10, model_calls=10)
    assert answer.text.startswith("I had to stop")
    assert "10 model calls" in answer.response_metadata[STOPPED]


async def test_what_was_left_is_recorded_as_a_decision(ledger):
    seen = Recording()
    with ScriptedOpenAI([say("Four.")]) as server:
        await ask(ledger, react_of(server), others=[seen], model_calls=10)
    (decision,) = [c for c in seen.calls if c.kind is CallKind.DECISION and c.name == DECISION]
    told = next(o.value for o in seen.outcomes if isinstance(o.value, dict))
    assert decision.request == {}
    assert told == {
        "unit": "model_calls",
        "used": 0.0,
        "model_calls": None,
        "about": "0% of the run's 10 model calls are used",
    }


@pytest.mark.parametrize(
    ("spent", "script", "text"),
    [
        (8, [say("Thought."), say("Four.")], "Four."),
        (9, [say("Four.")], "Four."),
        (10, [], "I had to stop before I found anything."),
    ],
)
async def test_chain_of_thought_keeps_the_last_call_for_the_answer(ledger, spent, script, text):
    with ScriptedOpenAI(script) as server:
        answer = await ask(ledger, thinking_of(server), spent=spent, model_calls=10)
    assert answer.text == text


async def test_an_answer_that_needed_no_tools_is_whole_though_it_was_the_last_call(ledger):
    with ScriptedOpenAI([say("Four.")]) as server:
        graph = react(GraphParts(model=resolved(server).chat))
        answer = await ask(ledger, graph, model_calls=1)
    assert answer.text == "Four."
    assert STOPPED not in answer.response_metadata
    assert len(server.requests[0].messages) == 2


async def test_the_reason_names_the_budget_and_no_share_of_it(ledger):
    with ScriptedOpenAI([say("Four.")]) as server:
        answer = await ask(ledger, react_of(server), model_calls=1)
    assert answer.response_metadata[STOPPED] == (
        "budget: no call fits after this one; the run has a budget of 1 model calls"
    )


@pytest.mark.parametrize("limit", [0, 1])
async def test_after_a_tool_call_that_does_not_fit_the_answer_is_asked_for(ledger, limit):
    script = [*(call("look_up", topic=f"loom {n}") for n in range(limit + 1)), say("Four.")]
    with ScriptedOpenAI(script) as server:
        answer = await ask(ledger, react_of(server), tool_calls=limit)
    assert answer.text == "Four."
    assert f"budget of {limit} tool calls" in answer.response_metadata[STOPPED]
    choices = [request.body.get("tool_choice") for request in server.requests]
    assert choices == [None] * (limit + 1) + ["none"]
    assert "Call no more tools" in str(server.requests[-1].messages)


async def test_a_model_that_goes_on_calling_ends_with_what_was_found(ledger):
    script = [call("look_up", topic=f"loom {n}") for n in range(3)]
    with ScriptedOpenAI(script, verify=False) as server:
        answer = await ask(ledger, react_of(server), tool_calls=1)
    assert "A loom 0 has four shafts." in answer.text
    assert "budget of 1 tool calls" in answer.response_metadata[STOPPED]
    assert len(server.requests) == 3


async def test_a_limit_that_no_call_met_is_no_reason(ledger):
    with ScriptedOpenAI([call("look_up", topic="loom"), say("Four.")]) as server:
        answer = await ask(ledger, react_of(server), tool_calls=1)
    assert answer.text == "Four."
    assert STOPPED not in answer.response_metadata
