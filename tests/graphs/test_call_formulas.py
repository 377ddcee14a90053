"""How many model calls a turn makes: the formulas of docs/graphs.md, over their options.

Those of the other patterns are beside their own tests.
"""

import pytest

from tests.support.patterns import SOURCE, ask, graph_of, is_asked, look_up, numbered
from treadle.graphs import (
    Colleague,
    GraphParts,
    ReactOptions,
    ResearchOptions,
    RouteOptions,
    SupervisorOptions,
    chain_of_thought,
    react,
    research,
    route,
    supervisor,
)
from treadle.runtime.testing import ScriptedOpenAI, call, say


async def calls_of(pattern, reply, options=None, turns=1, **parts):
    """Return how many calls each turn makes."""
    with ScriptedOpenAI(reply) as server:
        graph = graph_of(pattern, server, options, **parts)
        counts = []
        for _ in range(turns):
            before = len(server.requests)
            await ask(graph)
            counts.append(len(server.requests) - before)
    return counts


def looking(rounds, in_text=False, answer="Four."):
    """Play a model that calls a tool in so many rounds before it answers."""

    def reply(request):
        told = str(request.messages)
        done = told.count("'role': 'tool'") or told.count("Observation from")
        if done >= rounds:
            return say(answer)
        topic = f"loom-{done}"
        written = f'Action: look_up\nAction Input: {{"topic": "{topic}"}}'
        return say(written) if in_text else call("look_up", topic=topic)

    return reply


@pytest.mark.parametrize("tool_calls", ["native", "text"])
@pytest.mark.parametrize("wanted", [0, 1, 3, 9])
@pytest.mark.parametrize("max_steps", [1, 3, 5])
async def test_react(max_steps, wanted, tool_calls):
    options = ReactOptions(max_steps=max_steps, tool_calls=tool_calls)
    reply = looking(wanted, tool_calls == "text")
    (count,) = await calls_of(react, reply, options, tools=[look_up])
    assert count == min(wanted, max_steps) + 1


async def test_chain_of_thought():
    assert await calls_of(chain_of_thought, lambda _: say("Four."), turns=3) == [2, 2, 2]


MARK = f"[^{SOURCE.label}]"


@pytest.mark.parametrize("is_sourced", [True, False])
@pytest.mark.parametrize(("rounds", "followups", "gaps"), [(1, 0, 0), (2, 1, 1), (1, 2, 1)])
@pytest.mark.parametrize(("wanted", "most"), [(1, 4), (3, 4), (5, 2)])
async def test_research(wanted, most, rounds, followups, gaps, is_sourced):
    """``1 + q + t + v + 1 + c``; the first ``gaps`` looks find that a question is missing."""
    looked = []

    def reply(request):
        if is_asked(request, "research_questions"):
            return say(numbered(f"What is {n}?" for n in range(wanted)))
        if is_asked(request, "research_gaps"):
            looked.append(request)
            new = len(looked) <= gaps
            return say(numbered([f"What is missing {len(looked)}?"]) if new else "none")
        if is_asked(request, "conclude") or is_asked(request, "research_sources"):
            return say(f"Looms have four shafts and many hooks{f' {MARK}' if is_sourced else ''}.")
        return looking(rounds, answer=f"Four {MARK}.")(request)

    options = ResearchOptions(max_questions=most, rounds=rounds, followups=followups)
    (count,) = await calls_of(research, reply, options, tools=[look_up])
    looks = min(followups, gaps + 1)
    questions = min(wanted, most) + min(followups, gaps)
    assert count == 1 + questions + questions * rounds + looks + 1 + (not is_sourced)


def team(names):
    """Make a pattern's colleagues, each of which answers in one call."""

    def of(pattern):
        def build(parts, options):
            graph = react(GraphParts(parts.model, name="finder"))
            made = [Colleague(name, "It finds.", graph, graph) for name in names]
            return pattern(
                GraphParts(parts.model, colleagues=made, checkpointer=parts.checkpointer), options
            )

        return build

    return of


@pytest.mark.parametrize("hands_over", [False, True])
@pytest.mark.parametrize(("wanted", "max_steps"), [(0, 4), (2, 4), (6, 3)])
async def test_supervisor(wanted, max_steps, hands_over):
    """``t + 1`` and those of the agents; where it hands over, ``t`` and those of that agent."""

    def reply(request):
        if "ask_finder" not in request.tool_names:
            return say("Done.")
        done = str(request.messages).count("'role': 'tool'")
        if done < wanted:
            return call("ask_finder", task=f"Task {done}.")
        return call("hand_over", to="finder") if hands_over else say("All done.")

    options = SupervisorOptions(max_steps=max_steps)
    (count,) = await calls_of(team(["finder"])(supervisor), reply, options)
    tasks = min(wanted, max_steps)
    # A hand-over is a round of its own, and the agent's answer takes the place of one's own.
    assert count == tasks + 1 + tasks + (hands_over and wanted < max_steps)


@pytest.mark.parametrize("names", [["finder"], ["finder", "writer"], ["a", "b", "c", "d"]])
async def test_route(names):
    (count,) = await calls_of(team(names)(route), lambda _: say(names[-1]), RouteOptions())
    assert count == (len(names) > 1) + 1
