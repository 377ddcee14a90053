"""The plan_execute graph: a plan, its steps in parallel where they can be, and another plan."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.support.patterns import SOURCE, ask, graph_of, is_asked, look_up
from tests.support.recording import Recording
from treadle.core.calls import CallKind, Purpose
from treadle.graphs import PlanExecuteOptions, plan_execute
from treadle.graphs._plans import planned
from treadle.runtime.testing import ScriptedOpenAI, call, say


def step(id_, *needs):
    return {"id": id_, "task": f"Find {id_}.", "needs": list(needs)}


def plan(*steps):
    return say(json.dumps({"steps": steps}))


def working(first, *more, rounds=0):
    """Return a script with these plans, each step taking so many rounds of tool calls."""
    later = list(more)

    def reply(request):
        if is_asked(request, "plan"):
            return plan(*first)
        if is_asked(request, "replan"):
            return plan(*later.pop(0)) if later else plan()
        if is_asked(request, "conclude"):
            return say("It has four shafts.")
        done = len(request.tool_outputs)
        task = request.last_user_text.partition(".")[0].removeprefix("Find ")
        return (
            call("look_up", topic=f"{task}{done}") if done < rounds else say(f"Report of {task}.")
        )

    return reply


CHAIN = [step("a"), step("b"), step("c", "a", "b")]


@pytest.mark.parametrize(
    ("steps", "rounds", "replans", "again"),
    [(1, 0, 0, 0), (3, 0, 1, 0), (3, 2, 1, 1), (1, 2, 3, 1), (3, 1, 2, 2)],
)
async def test_the_number_of_calls(steps, rounds, replans, again):
    more = [[step(f"more{n}")] for n in range(again)]
    options = PlanExecuteOptions(replans=replans, rounds=3)
    gate = Recording()
    with ScriptedOpenAI(working(CHAIN[:steps], *more, rounds=rounds)) as server:
        graph = graph_of(plan_execute, server, options, tools=[look_up])
        state = await ask(graph, gate=gate)
        looked = min(again + 1, replans)
        all_steps = steps + min(again, replans)
        assert len(server.requests) == 1 + all_steps + all_steps * rounds + looked + 1
    assert len({one.id for one in gate.calls}) == len(gate.calls)
    assert [one.kind for one in gate.calls].count(CallKind.TOOL) == all_steps * rounds
    assert [one.purpose for one in gate.calls if one.kind is CallKind.MODEL][-1] is Purpose.ANSWER
    assert state["messages"][-1].text == "It has four shafts."


async def test_a_step_takes_no_more_rounds_than_allowed_and_a_plan_no_more_steps():
    options = PlanExecuteOptions(replans=0, rounds=2, max_steps=2)
    with ScriptedOpenAI(working([step(str(n)) for n in range(9)], rounds=99)) as server:
        state = await ask(graph_of(plan_execute, server, options, tools=[look_up]))
        assert len(server.requests) == 1 + 2 * (2 + 1) + 1
    assert "0 has four shafts" not in state["messages"][-1].text


async def test_independent_steps_run_at_once_and_others_wait_for_their_needs():
    gate = Recording()
    with ScriptedOpenAI(working(CHAIN)) as server:
        await ask(graph_of(plan_execute, server, PlanExecuteOptions(replans=0)), gate=gate)
    places = [one.position for one in gate.calls]
    assert places[1].path.startswith("execute")
    assert {place.task.partition("|")[0] for place in places[1:3]} != {places[3].task}
    tasks = [request.last_user_text for request in server.requests[1:4]]
    assert sorted(tasks[:2]) == ["Find a.", "Find b."]
    assert tasks[2].startswith("Find c.")
    assert "Known from before (a):\nReport of a." in tasks[2]
    assert "Known from before (b):\nReport of b." in tasks[2]


async def test_what_the_steps_looked_up_is_in_the_conversation_with_its_sources():
    with ScriptedOpenAI(working(CHAIN, rounds=1)) as server:
        state = await ask(graph_of(plan_execute, server, tools=[look_up]))
    kinds = [type(message) for message in state["messages"]]
    assert kinds == [HumanMessage, *[AIMessage, ToolMessage] * 3, AIMessage]
    assert f"[^{SOURCE.label}]" in str(server.requests[-1].messages)
    assert "Report of c." in server.requests[-1].system_text
    assert "Find c.\nReport of c." in state["reasoning"]


@pytest.mark.parametrize("broken", ["no plan", "{}", '{"steps": [{"id": 1}]}', '{"steps": []}'])
async def test_without_a_usable_plan_the_question_is_the_step(broken):
    def reply(request):
        return say(broken) if is_asked(request, "plan") else working([])(request)

    with ScriptedOpenAI(reply) as server:
        await ask(graph_of(plan_execute, server), text="How many?")
        assert len(server.requests) == 3
    assert server.requests[1].last_user_text == "How many?"


async def test_the_planner_knows_the_tools():
    with ScriptedOpenAI(working(CHAIN[:1])) as server:
        await ask(graph_of(plan_execute, server, tools=[look_up]))
    assert "- look_up: Look a topic up." in server.requests[0].system_text


ids = st.sampled_from(["a", "b", "a-2", "", "known"])
step_of = st.fixed_dictionaries({"id": ids, "task": st.just("t"), "needs": st.lists(ids)})


@given(st.lists(step_of, max_size=8), st.integers(1, 8))
def test_any_plan_can_be_carried_out(steps, most):
    made = planned({"steps": steps}, most, ["known"])
    done = ["known"]
    for one in made:
        assert set(one["needs"]) <= set(done)
        done.append(one["id"])
    assert len(set(done)) == len(done)
    assert len(made) == min(most, len(steps))
