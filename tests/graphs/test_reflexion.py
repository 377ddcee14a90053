"""The reflexion graph: a draft, its critique, and another attempt with the lessons."""

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.patterns import SCHEMA, ask, graph_of, is_asked, look_up
from tests.support.recording import Recording
from treadle.graphs import ReflexionOptions, reflexion
from treadle.runtime.testing import ScriptedOpenAI, call, say


def trying(accepted_at, rounds=0, *, repeats=False):
    """Return a script whose draft of that number is accepted, after so many rounds of tools."""
    drafts = []

    def reply(request):
        if is_asked(request, "critique"):
            return say("ACCEPT" if len(drafts) == accepted_at else f"Lesson {len(drafts)}.")
        if is_asked(request, "answer"):
            return say('{"total": 4}')
        if (done := len(request.tool_outputs)) < rounds and request.tool_names:
            return call("look_up", topic=f"loom {done}")
        drafts.append(f"Draft {0 if repeats else len(drafts) + 1}.")
        return say(drafts[-1])

    return reply


@pytest.mark.parametrize(
    ("retries", "accepted_at", "attempts"),
    [(0, 1, 1), (2, 1, 1), (2, 2, 2), (2, 3, 3), (2, 9, 3), (1, 9, 2), (5, 4, 4)],
)
@pytest.mark.parametrize("rounds", [0, 3])
async def test_the_number_of_calls(retries, accepted_at, attempts, rounds):
    gate = Recording()
    with ScriptedOpenAI(trying(accepted_at, rounds)) as server:
        options = ReflexionOptions(retries=retries)
        state = await ask(graph_of(reflexion, server, options, tools=[look_up]), gate=gate)
        assert len(server.requests) == rounds + attempts + min(attempts, retries)
    assert len({one.id for one in gate.calls}) == len(gate.calls)
    assert state["messages"][-1].text == f"Draft {attempts}."
    assert "draft" not in state


async def test_rounds_of_tool_calls_count_for_all_attempts_together():
    with ScriptedOpenAI(trying(9, rounds=99)) as server:
        options = ReflexionOptions(retries=1, rounds=2)
        await ask(graph_of(reflexion, server, options, tools=[look_up]))
        # The script calls no tool where none may be called: two rounds, two drafts, a critique.
        assert len(server.requests) <= 2 + 2 + 1


async def test_a_draft_that_repeats_the_one_before_is_the_last():
    with ScriptedOpenAI(trying(9, repeats=True)) as server:
        await ask(graph_of(reflexion, server, ReflexionOptions(retries=9)))
        assert len(server.requests) == 3


async def test_an_attempt_is_told_the_lessons_and_the_draft_before_it():
    with ScriptedOpenAI(trying(3)) as server:
        state = await ask(graph_of(reflexion, server))
    third = server.requests[4].system_text
    assert "- Lesson 1.\n- Lesson 2." in third
    assert "The earlier draft:\nDraft 2." in third
    assert "Draft 1." not in third
    assert state["lessons"] == ["Lesson 1.", "Lesson 2."]
    assert state["reasoning"] == "Lesson 1.\nLesson 2."


async def test_lessons_are_kept_for_the_next_question_and_stay_few():
    with ScriptedOpenAI(trying(99)) as server:
        graph = graph_of(
            reflexion, server, ReflexionOptions(retries=4), checkpointer=InMemorySaver()
        )
        await ask(graph)
        state = await ask(graph, text="And then?")
    assert "- Lesson 4." in server.requests[9].system_text
    assert "The earlier draft" not in server.requests[9].system_text
    assert len(state["lessons"]) == 5
    assert [m.text for m in state["messages"]][::2] == ["What is 2 and 2?", "And then?"]


async def test_an_output_schema_takes_one_call_more():
    with ScriptedOpenAI(trying(1)) as server:
        state = await ask(graph_of(reflexion, server, output=SCHEMA))
        assert len(server.requests) == 3
    assert state["structured_response"] == {"total": 4}
