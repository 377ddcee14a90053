"""The tree_of_thoughts graph: several ways, judged, and the best of them followed."""

import re

import pytest

from tests.support.patterns import ask, graph_of, is_asked, numbered
from tests.support.recording import Recording
from treadle.graphs import TreeOfThoughtsOptions, tree_of_thoughts
from treadle.runtime.testing import ScriptedOpenAI, say


def thinking(breadth):
    """Return a script that proposes so many steps each time and marks later ways higher."""

    def reply(request):
        if is_asked(request, "expand"):
            depth = request.system_text.count("\nStep ") + 1
            return say(numbered(f"Thought {depth}.{n}" for n in range(1, breadth + 1)))
        if is_asked(request, "rank"):
            ways = [
                int(way) for way in re.findall(r"^Way (\d+):", request.system_text, re.MULTILINE)
            ]
            return say("\n".join(f"{way}: {way % 11}" for way in ways))
        return say("It is 4.")

    return reply


def count(breadth, depth, beam):
    """Return the number of calls as the documentation has it."""
    ways = [1]
    for _ in range(depth):
        ways.append(min(beam, ways[-1] * breadth))
    return 1 + sum(ways[k] + (ways[k] * breadth > 1) for k in range(depth))


@pytest.mark.parametrize(
    ("breadth", "depth", "beam", "calls"),
    [(1, 1, 1, 2), (1, 3, 4, 4), (3, 2, 2, 6), (2, 3, 4, 11), (4, 3, 1, 7), (2, 4, 3, 14)],
)
async def test_the_number_of_calls(breadth, depth, beam, calls):
    options = TreeOfThoughtsOptions(breadth=breadth, depth=depth, beam=beam)
    gate = Recording()
    with ScriptedOpenAI(thinking(breadth)) as server:
        state = await ask(graph_of(tree_of_thoughts, server, options), gate=gate)
        assert len(server.requests) == calls == count(breadth, depth, beam)
    assert len({one.id for one in gate.calls}) == calls
    assert state["messages"][-1].text == "It is 4."
    assert state["reasoning"].count("Step ") == depth


async def test_the_best_ways_are_followed():
    with ScriptedOpenAI(thinking(3)) as server:
        state = await ask(graph_of(tree_of_thoughts, server))
    followed = sorted(
        text.rpartition("Step 1: ")[2]
        for request in server.requests
        if is_asked(request, "expand") and "Step 1: " in (text := request.system_text)
    )
    assert followed == ["Thought 1.2", "Thought 1.3"]
    assert state["reasoning"] == "Step 1: Thought 1.2\nStep 2: Thought 2.3"


async def test_a_model_that_proposes_nothing_still_answers():
    def reply(request):
        return say(" ") if is_asked(request, "expand") else say("I do not know.")

    with ScriptedOpenAI(reply) as server:
        state = await ask(graph_of(tree_of_thoughts, server))
        assert len(server.requests) == 2
    assert state["messages"][-1].text == "I do not know."


async def test_ways_that_nobody_marked_keep_their_order():
    def reply(request):
        return say("All are fine.") if is_asked(request, "rank") else thinking(3)(request)

    with ScriptedOpenAI(reply) as server:
        state = await ask(graph_of(tree_of_thoughts, server))
    assert state["reasoning"] == "Step 1: Thought 1.1\nStep 2: Thought 2.1"
