"""The react graph over a real socket: it reasons, acts, observes, and stays inside its bounds."""

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.models import resolved
from tests.support.recording import Recording
from treadle.core.boundary import GateChain, boundary
from treadle.core.calls import MAYBE_DONE, CallKind, Effect, Permit
from treadle.core.errors import BudgetExceededError, ModelError
from treadle.graphs import STOPPED, GraphParts, ReactOptions, react
from treadle.memory.window import ContextWindow
from treadle.runtime.testing import (
    ScriptedOpenAI,
    call,
    calls,
    half_stream,
    malformed_json,
    say,
    server_error,
    unauthorized,
)
from treadle.tools import Passage, Source, ToolError, ToolResult, tool

SOURCE = Source("Looms", "docs/looms.md", "lines 1-3")


@tool(effect=Effect.READ)
def look_up(topic: str) -> ToolResult:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    if topic == "nothing":
        raise ToolError("There is nothing about it.")
    return ToolResult(passages=[Passage(f"{topic} has four shafts.", SOURCE)])


@langchain_tool
def foreign(topic: str) -> str:
    """Look a topic up elsewhere."""
    raise OSError(f"no route to {topic}")


def graph_of(*servers, tools=(look_up,), options=None, **parts):
    model = resolved(*servers)
    return react(
        GraphParts(model=model.chat, fallbacks=model.fallbacks, tools=tools, **parts), options
    )


async def ask(graph, text="How many shafts has a loom?", thread="1", gate=None):
    config = {"configurable": {"thread_id": thread}}
    with boundary(gate or Recording(), thread_id=thread, run_id="run"):
        return await graph.ainvoke({"messages": [HumanMessage(text)]}, config)


async def test_it_calls_a_tool_and_answers_from_what_that_returned():
    script = [calls(call("look_up", topic="loom"), text="I look it up."), say("Four.")]
    gate = Recording()
    with ScriptedOpenAI(script) as server:
        state = await ask(graph_of(server), gate=gate)
    assert state["messages"][-1].text == "Four."
    assert "loom has four shafts" in str(server.requests[1].messages)
    assert f"[^{SOURCE.label}]" in str(server.requests[1].messages)
    assert [call.kind for call in gate.calls] == [CallKind.MODEL, CallKind.TOOL, CallKind.MODEL]
    assert [outcome.usage.usd > 0 for outcome in gate.outcomes] == [True, False, True]
    assert "".join(text for text, _ in gate.deltas) == "I look it up.Four."


async def test_a_failing_tool_is_told_to_the_model_and_the_run_goes_on():
    script = [
        calls(call("look_up", topic="nothing"), call("foreign", topic="loom")),
        say("I found nothing about it."),
    ]
    with ScriptedOpenAI(script) as server:
        await ask(graph_of(server, tools=(look_up, foreign)))
    told = str(server.requests[1].messages)
    assert "look_up: There is nothing about it." in told
    assert "foreign failed: OSError: no route to loom" in told


async def test_wrong_arguments_and_unknown_tools_are_explained_to_the_model():
    unknown = calls(call("look_up", subject="loom"))
    with ScriptedOpenAI([unknown, say("Sorry.")]) as server:
        await ask(graph_of(server))
    assert "topic: Field required" in str(server.requests[1].messages)


async def test_identical_calls_are_stopped_and_an_answer_is_asked_for():
    again = call("look_up", topic="loom")
    with ScriptedOpenAI([again, again, again, say("It has four shafts.")]) as server:
        state = await ask(graph_of(server))
    assert state["messages"][-1].text == "It has four shafts."
    assert "look_up was called 3 times" in state["messages"][-1].response_metadata[STOPPED]
    assert server.requests[-1].body["tool_choice"] == "none"


async def test_a_model_that_never_stops_calling_gets_what_its_tools_found():
    def forever(request):
        return call("look_up", topic=f"loom {len(request.messages)}")

    with ScriptedOpenAI(forever) as server:
        state = await ask(graph_of(server, options=ReactOptions(max_steps=4)))
    assert len(server.requests) == 5
    assert "This is what I found" in state["messages"][-1].text
    assert "has four shafts" in state["messages"][-1].text
    assert not state["messages"][-1].tool_calls


class Wall(Recording):
    """Refuses every call of one kind after the first."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    async def before(self, call):
        if any(known.kind is self.kind for known in self.calls) and call.kind is self.kind:
            raise BudgetExceededError("the budget is used up.")
        await super().before(call)


async def test_a_spent_budget_of_model_calls_ends_with_what_was_found():
    with ScriptedOpenAI([call("look_up", topic="loom")]) as server:
        state = await ask(graph_of(server), gate=Wall(CallKind.MODEL))
    assert "loom has four shafts" in state["messages"][-1].text
    assert state["messages"][-1].response_metadata[STOPPED].startswith("budget:")


async def test_a_spent_budget_of_tool_calls_is_told_to_the_model():
    script = [call("look_up", topic="loom"), call("look_up", topic="shaft"), say("Four.")]
    with ScriptedOpenAI(script) as server:
        state = await ask(graph_of(server), gate=Wall(CallKind.TOOL))
    assert state["messages"][-1].text == "Four."
    assert "Not called: the budget is used up" in str(server.requests[2].messages)


async def test_a_call_that_was_cut_off_is_not_told_as_one_that_was_not_made():
    @tool
    async def send() -> str:
        """Send it."""
        await asyncio.Event().wait()
        return ""

    class Hurries(Recording):
        async def before(self, call):
            return Permit(seconds=0.02) if call.kind is CallKind.TOOL else None

    with ScriptedOpenAI([call("send"), say("I do not know whether it was sent.")]) as server:
        await ask(graph_of(server, tools=(send,)), gate=Hurries())
    [told] = server.requests[1].tool_outputs.values()
    assert told.startswith("send failed: the run's time was up")
    assert told.endswith(MAYBE_DONE)


async def test_a_broken_answer_is_asked_for_again():
    with ScriptedOpenAI([half_stream(), malformed_json(), say("Four.")]) as server:
        state = await ask(graph_of(server))
    assert state["messages"][-1].text == "Four."


async def test_a_fallback_answers_when_the_first_model_fails():
    with ScriptedOpenAI([server_error()]) as first, ScriptedOpenAI([say("Four.")]) as second:
        state = await ask(graph_of(first, second))
    assert state["messages"][-1].text == "Four."


async def test_a_refused_key_names_the_variable_to_check():
    with ScriptedOpenAI([unauthorized()]) as server, pytest.raises(ModelError, match="TEST_KEY"):
        await ask(graph_of(server))


async def test_an_interrupted_turn_does_not_spoil_the_next():
    """A tool call without an answer, as a killed run leaves it, is answered before it is sent."""
    saver = InMemorySaver()
    with ScriptedOpenAI([say("Four.")]) as server:
        graph = graph_of(server, checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}}
        orphan = AIMessage("", tool_calls=[{"name": "look_up", "args": {}, "id": "call_1"}])
        await graph.aupdate_state(config, {"messages": [HumanMessage("Well?"), orphan]})
        state = await ask(graph)
    assert state["messages"][-1].text == "Four."
    roles = [message["role"] for message in server.requests[0].messages]
    assert roles == ["system", "user", "assistant", "tool", "user"]


async def test_a_long_conversation_is_shown_only_as_far_as_the_window_goes():
    saver = InMemorySaver()
    with ScriptedOpenAI([say("Yes.")] * 4) as server:
        graph = graph_of(server, checkpointer=saver, window=ContextWindow(1_000))
        for turn in range(4):
            await ask(graph, text=f"Question {turn}: " + "word " * 150)
        state = await graph.aget_state({"configurable": {"thread_id": "1"}})
    shown = str(server.requests[-1].messages)
    assert "Question 3" in shown
    assert "Question 0" not in shown
    assert len([m for m in state.values["messages"] if isinstance(m, HumanMessage)]) == 4


async def test_the_answer_fits_the_output_schema():
    schema = {
        "title": "loom",
        "type": "object",
        "properties": {"shafts": {"type": "integer"}},
        "required": ["shafts"],
    }
    script = [call("look_up", topic="loom"), say('{"shafts": 4}')]
    with ScriptedOpenAI(script) as server:
        state = await ask(graph_of(server, output=schema))
    assert state["structured_response"] == {"shafts": 4}
    assert server.requests[0].response_format is not None


async def test_without_a_runtime_it_is_an_ordinary_langgraph_graph():
    script = [call("look_up", topic="loom"), say("Four.")]
    with ScriptedOpenAI(script) as server:
        state = await graph_of(server).ainvoke({"messages": [HumanMessage("How many?")]})
    assert [type(m) for m in state["messages"]] == [HumanMessage, AIMessage, ToolMessage, AIMessage]


async def test_gates_in_a_chain_see_the_same_calls():
    one, other = Recording(), Recording()
    with ScriptedOpenAI([call("look_up", topic="loom"), say("Four.")]) as server:
        await ask(graph_of(server), gate=GateChain([one, other]))
    assert [c.id for c in one.calls] == [c.id for c in other.calls]
    assert len(one.outcomes) == len(other.outcomes) == 3
