"""The least_to_most graph: simpler questions first, and then the whole."""

import pytest

from tests.support.patterns import ask, graph_of, is_asked, numbered
from tests.support.recording import Recording
from treadle.core.calls import Purpose
from treadle.graphs import LeastToMostOptions, least_to_most
from treadle.runtime.testing import ScriptedOpenAI, say


def answering(questions):
    """Return a script that splits into so many questions, and answers each by its own number."""

    def reply(request):
        if is_asked(request, "split_question"):
            return say(numbered(f"Part {n}?" for n in range(1, questions + 1)) or "none")
        if is_asked(request, "solve_part"):
            asked = request.system_text.rpartition("The simpler question: Part ")[2]
            return say(f"Solution {asked}")
        return say("It is 4.")

    return reply


@pytest.mark.parametrize(
    ("written", "most"), [(0, 5), (1, 5), (3, 5), (5, 5), (9, 5), (9, 1), (20, 20)]
)
async def test_it_makes_two_calls_and_one_for_each_question(written, most):
    gate = Recording()
    with ScriptedOpenAI(answering(written)) as server:
        graph = graph_of(least_to_most, server, LeastToMostOptions(max_questions=most))
        state = await ask(graph, gate=gate)
        assert len(server.requests) == min(written, most) + 2
    assert state["messages"][-1].text == "It is 4."
    assert [one.purpose for one in gate.calls][-1] is Purpose.ANSWER
    assert {one.purpose for one in gate.calls[:-1]} == {Purpose.THOUGHT}


async def test_each_question_sees_the_answers_before_it():
    with ScriptedOpenAI(answering(3)) as server:
        state = await ask(graph_of(least_to_most, server))
    _, first, _, third, last = server.requests
    assert "Solution" not in first.system_text
    assert "Part 1?\nSolution 1?" in third.system_text
    assert "Part 2?\nSolution 2?" in third.system_text
    assert "Solution 3?" not in third.system_text
    assert "Solution 3?" in last.system_text
    assert state["reasoning"].count("Solution") == 3


async def test_what_was_solved_is_cut_to_its_share_of_the_window():
    def reply(request):
        return say("word " * 20_000) if is_asked(request, "solve_part") else answering(4)(request)

    with ScriptedOpenAI(reply) as server:
        await ask(graph_of(least_to_most, server))
    assert all(len(request.system_text) < 20_000 for request in server.requests)
    assert "The simpler question: Part 4?" in server.requests[-2].system_text
