"""The chain_of_thought graph: it thinks, then answers, and keeps the two apart."""

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.models import resolved
from tests.support.recording import Recording
from treadle.core.boundary import boundary
from treadle.core.calls import Purpose
from treadle.core.errors import ConfigError, ModelError
from treadle.graphs import GraphParts, chain_of_thought
from treadle.runtime.testing import ScriptedOpenAI, half_stream, say, server_error
from treadle.tools import tool

SCHEMA = {
    "title": "sum",
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
}


async def ask(graph, text="What is 2 and 2?", gate=None):
    config = {"configurable": {"thread_id": "1"}}
    with boundary(gate or Recording(), thread_id="1", run_id="run"):
        return await graph.ainvoke({"messages": [HumanMessage(text)]}, config)


def graph_of(*servers, **parts):
    model = resolved(*servers)
    return chain_of_thought(GraphParts(model=model.chat, fallbacks=model.fallbacks, **parts))


async def test_it_thinks_first_and_answers_from_the_reasoning():
    gate = Recording()
    with ScriptedOpenAI([say("Two and two make four."), say("4")]) as server:
        state = await ask(graph_of(server, prompt="You add numbers."), gate=gate)
    assert state["reasoning"] == "Two and two make four."
    assert [m.text for m in state["messages"]] == ["What is 2 and 2?", "4"]
    assert [c.purpose for c in gate.calls] == [Purpose.THOUGHT, Purpose.ANSWER]
    assert {p for _, p in gate.deltas} == {Purpose.THOUGHT, Purpose.ANSWER}
    assert "You add numbers." in server.requests[0].system_text
    assert "Two and two make four." in server.requests[1].system_text


async def test_it_remembers_the_conversation_but_not_old_reasoning():
    script = [say("Reasoning one."), say("4"), say("Reasoning two."), say("5")]
    with ScriptedOpenAI(script) as server:
        graph = graph_of(server, checkpointer=InMemorySaver())
        await ask(graph)
        state = await ask(graph, "And one more?")
    assert [m.text for m in state["messages"]] == ["What is 2 and 2?", "4", "And one more?", "5"]
    assert "Reasoning one." not in str(server.requests[3].messages)


async def test_a_broken_answer_is_asked_for_again_and_then_a_fallback():
    first = [half_stream(), say("Thought."), server_error()]
    with ScriptedOpenAI(first) as one, ScriptedOpenAI([say("4")]) as other:
        state = await ask(graph_of(one, other))
    assert state["messages"][-1].text == "4"


async def test_the_answer_fits_the_output_schema():
    with ScriptedOpenAI([say("Four."), say('{"total": 4}')]) as server:
        state = await ask(graph_of(server, output=SCHEMA))
    assert state["structured_response"] == {"total": 4}


async def test_an_answer_that_does_not_fit_the_schema_is_an_error():
    with (
        ScriptedOpenAI([say("Four."), *[say("four")] * 3]) as server,
        pytest.raises(ModelError, match="does not fit the output schema"),
    ):
        await ask(graph_of(server, output=SCHEMA))


async def test_tools_are_refused_with_advice():
    @tool
    def nothing() -> str:
        """Do nothing."""
        return ""

    with ScriptedOpenAI([]) as server, pytest.raises(ConfigError, match="react"):
        graph_of(server, tools=[nothing])
