"""The self_consistency graph: independent samples vote, and no more of them than needed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patterns import SCHEMA, ask, graph_of
from tests.support.recording import Recording
from treadle.core.calls import Purpose
from treadle.core.errors import ModelError
from treadle.graphs import SelfConsistencyOptions, self_consistency
from treadle.graphs.self_consistency import final_answer, missing, normalised
from treadle.runtime.testing import ScriptedOpenAI, say


def samples_asked(answers, most):
    """Return how many samples a vote takes, told again from its rule alone."""
    asked = 0
    while True:
        counts = [count for _, count in Counter(answers[:asked]).most_common()]
        first, second = (*counts, 0, 0)[:2]
        left = most - asked
        if left == 0 or first - second > left:
            return asked
        asked += next(k for k in range(1, left + 1) if first + k - second > left - k or k == left)


@pytest.mark.parametrize(
    ("most", "answers", "count", "winner"),
    [
        (1, "4", 1, "4"),
        (2, "44", 2, "4"),
        (3, "44", 2, "4"),
        (3, "454", 3, "4"),
        (5, "444", 3, "4"),
        (5, "4544", 4, "4"),
        (5, "55644", 5, "5"),
        (5, "56788", 5, "8"),
        (9, "44444", 5, "4"),
        (10, "4544444", 7, "4"),
    ],
)
async def test_samples_are_asked_for_until_the_vote_is_decided(most, answers, count, winner):
    script = [say(f"I add.\nAnswer: {one}.") for one in answers]
    gate = Recording()
    with ScriptedOpenAI(script) as server:
        graph = graph_of(self_consistency, server, SelfConsistencyOptions(samples=most))
        state = await ask(graph, gate=gate)
        assert len(server.requests) == count == samples_asked(answers, most)
    assert most // 2 + 1 <= count <= most
    assert state["messages"][-1].text == f"{winner}."
    assert "I add." in state["reasoning"]
    assert {one.purpose for one in gate.calls} == {Purpose.THOUGHT}
    assert len({one.id for one in gate.calls}) == count
    assert len({(one.position.step, one.position.branch) for one in gate.calls}) == count
    assert not {"samples", "stopped"} & set(state)


async def test_a_vote_of_structured_answers():
    script = [say('{"total": 4}'), say('{ "total":4 }'), say('{"total": 5}')]
    with ScriptedOpenAI(script[::-1]) as server:
        graph = graph_of(self_consistency, server, SelfConsistencyOptions(samples=3), output=SCHEMA)
        state = await ask(graph)
    assert state["structured_response"] == {"total": 4}


async def test_samples_that_fit_no_schema_are_an_error():
    with ScriptedOpenAI(lambda _: say("four")) as server:
        graph = graph_of(self_consistency, server, SelfConsistencyOptions(samples=3), output=SCHEMA)
        with pytest.raises(ModelError, match="None of the 3 samples"):
            await ask(graph)


async def test_samples_without_an_answer_cast_no_vote():
    with ScriptedOpenAI([say(" "), say(" "), say("Answer: 4")]) as server:
        graph = graph_of(self_consistency, server, SelfConsistencyOptions(samples=3))
        state = await ask(graph)
    assert state["messages"][-1].text == "4"
    assert "1 of 3 samples agree" in state["reasoning"]


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=25, max_size=25), st.integers(1, 25))
def test_a_decided_vote_would_not_come_out_otherwise(answers, most):
    asked = 0
    while more := missing(answers[:asked], most):
        asked += more
    assert asked <= most
    votes = [one for one in answers[:asked] if one]
    every = [one for one in answers[:most] if one]
    assert Counter(votes).most_common(1)[:1] == [] or (
        Counter(votes).most_common(1)[0][0] == Counter(every).most_common(1)[0][0]
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Loom.", "loom"),
        ("**4**", "4"),
        ("1,234.50", "1234.5"),
        ("4.0", "4"),
        ("$12$", "12"),
        ("\uff26our", "four"),
        ("  a\n b ", "b"),
    ],
)
def test_answers_that_differ_in_writing_alone_are_one(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("4", "-4"), ("1.5", "15"), ("12,5", "125"), ("a", "b")]
)
def test_answers_that_differ_are_two(one, other):
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Two and two.\nAnswer: 4", "4"),
        ("Answer: 3\nNo.\n**Final answer:** 4", "4"),
        ("It is 4.", "It is 4."),
        ("the answer is:\n4", "4"),
        ("Answer:", "Answer:"),
    ],
)
def test_the_answer_stands_behind_its_mark(text, answer):
    assert final_answer(text) == answer
