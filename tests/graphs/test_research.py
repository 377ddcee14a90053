"""Research: questions looked into side by side, gaps, and an answer that names its sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patterns import SOURCE, ask, graph_of, is_asked, look_up, numbered
from treadle.graphs import ResearchOptions, research
from treadle.graphs.research import NO_SOURCE, mark_unsourced, unsourced
from treadle.runtime.testing import ScriptedOpenAI, call, say

MARK = f"[^{SOURCE.label}]"
SOURCED = f"Looms have four shafts {MARK}."


class Model:
    """Plays the model, and keeps which prompts it was given."""

    def __init__(self, **said):
        self.said = {
            "research_questions": numbered(["What is a loom?", "What is a shaft?"]),
            "research_gaps": "none",
            "conclude": SOURCED,
            **said,
        }
        self.asked = []

    def __call__(self, request):
        for name, text in self.said.items():
            if is_asked(request, name):
                self.asked.append(name)
                return say(text.pop(0) if isinstance(text, list) else text)
        if request.messages[-1]["role"] != "tool":
            self.asked.append("tool")
            return call("look_up", topic="Looms")
        self.asked.append("note")
        return say(f"There are four {MARK}.")


async def turn(model, options=None, **parts):
    with ScriptedOpenAI(model) as server:
        return await ask(graph_of(research, server, options, tools=[look_up], **parts))


async def test_the_questions_are_looked_into_and_the_answer_rests_on_the_notes():
    model = Model()
    state = await turn(model)
    assert state["messages"][-1].text == SOURCED
    assert sorted(model.asked) == [
        "conclude",
        *["note"] * 2,
        "research_gaps",
        "research_questions",
        *["tool"] * 2,
    ]
    assert state["reasoning"] == (
        f"What is a loom?\nThere are four {MARK}.\n\nWhat is a shaft?\nThere are four {MARK}."
    )
    assert [m.type for m in state["messages"]].count("tool") == 2


async def test_what_is_missing_is_looked_into_as_often_as_it_may():
    gaps = [numbered(["What is a hook?"]), numbered(["What is a hook?", "What is a reed?"])]
    model = Model(research_gaps=[*gaps])
    await turn(model, ResearchOptions(followups=2))
    assert model.asked.count("research_gaps") == 2
    assert model.asked.count("note") == 4  # The same question is not looked into twice.


async def test_a_question_that_needs_no_split_is_looked_into_itself():
    model = Model(research_questions="none")
    state = await turn(model, ResearchOptions(followups=0))
    assert model.asked.count("note") == 1
    assert state["reasoning"].startswith("What is 2 and 2?\n")


async def test_statements_without_a_source_are_asked_for_one_once_and_marked_then():
    draft = f"{SOURCED} They also have many hooks."
    model = Model(conclude=draft, research_sources=f"{draft} That is all I found.")
    state = await turn(model)
    assert state["messages"][-1].text == (
        f"{SOURCED} They also have many hooks. {NO_SOURCE} That is all I found. {NO_SOURCE}"
    )
    assert model.asked.count("research_sources") == 1
    model = Model(conclude=draft, research_sources=SOURCED)
    assert (await turn(model))["messages"][-1].text == SOURCED


async def test_without_any_source_nothing_is_marked():
    def model(request):
        return say("The answer is four of them.")

    with ScriptedOpenAI(model) as server:
        state = await ask(graph_of(research, server))
    assert state["messages"][-1].text == "The answer is four of them."


async def test_more_questions_than_allowed_are_left_out():
    model = Model(research_questions=numbered([f"What is {n}?" for n in range(9)]))
    await turn(model, ResearchOptions(max_questions=3, followups=0))
    assert model.asked.count("note") == 3


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (SOURCED, []),
        (f"Looms have four shafts. {MARK}", []),
        (
            f"Looms have 3.5 shafts, e.g. four {MARK}. So they say of them.",
            ["So they say of them."],
        ),
        ("## What looms are made of today\nToo short.", []),
        ("Here is what I found about it:", []),
        ("Do you want to know more about looms?", []),
        (
            f"- Looms have four shafts {MARK}\n- They have hooks on them",
            ["- They have hooks on them"],
        ),
        ("| a | b | c | d |\n> They said so in the book.", []),
    ],
)
def test_which_statements_name_no_source(text, missing):
    assert unsourced(text) == missing


@given(st.lists(st.sampled_from([SOURCED, "They have hooks on them.", "\n", "# Looms", "Why?"])))
def test_marking_changes_nothing_else_and_marks_all(parts):
    text = " ".join(parts)
    marked = mark_unsourced(text)
    assert marked.replace(f" {NO_SOURCE}", "") == text
    assert marked.count(NO_SOURCE) == len(unsourced(text))
