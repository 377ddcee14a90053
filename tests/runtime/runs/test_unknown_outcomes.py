"""Effects whose outcome nobody knows: a person says what became of each, and of no other."""

import asyncio
import json
import re

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

MODULE = '''
import asyncio
from pathlib import Path
from typing import Annotated

from langchain_core.messages import AIMessage
from langchain_core.tools import tool as plain_tool
from langgraph.graph import START, MessagesState, StateGraph
from treadle.tools import tool

HERE = Path(__file__).parent

async def done(name):
    with (HERE / "done").open("a") as file:
        file.write(name + "\\n")
    while (HERE / "hang").exists():
        await asyncio.sleep(0.005)
    return f"{name} is done"

@tool
async def once(name: str) -> str:
    """Do something once."""
    return await done(name)

@plain_tool
async def plain(name: str) -> str:
    """Do something once."""
    return await done(name)

async def both(state):
    texts = await asyncio.gather(plain.ainvoke({"name": "a"}), plain.ainvoke({"name": "b"}))
    return {"messages": [AIMessage(", ".join(texts))]}

@plain_tool
def blocking(name: str) -> str:
    """Do something once."""
    return asyncio.run(done(name))

def one_by_one(state):
    return {"messages": [AIMessage(", ".join(blocking.invoke({"name": n}) for n in "ab"))]}

def graph_of(node):
    return StateGraph(MessagesState).add_node("act", node).add_edge(START, "act")

together = graph_of(both)
in_turn = graph_of(one_by_one)
'''
REACT = Agent(name="worker", tools=("effects.py:once",))
TOGETHER = Agent(name="together", graph="effects.py:together")
IN_TURN = Agent(name="in-turn", graph="effects.py:in_turn")


def answer(request):
    if request.tool_outputs:
        return say(", ".join(request.tool_outputs.values()))
    return calls(call("once", name="a"), call("once", name="b"))


@pytest.fixture
async def opened(redis_url, tmp_path):
    (tmp_path / "effects.py").write_text(MODULE)
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as runtime:
            yield runtime


def done(folder):
    return sorted((folder / "done").read_text().split())


async def stopped(runtime, folder, agent, effects):
    """Ask, stop in the middle of so many effects, and take the run up; it waits for a person."""
    (folder / "hang").touch()
    asking = asyncio.create_task(runtime.ask(agent, "Do both.", thread="t"))
    path = folder / "done"
    await eventually(lambda: path.exists() and len(done(folder)) == effects)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    [run] = await runtime.runs.recent()
    assert run.status is RunStatus.CANCELLED
    await runtime.resume(run.id, agent=agent)
    (folder / "hang").unlink()  # Until now a thread of the first attempt is still at it.
    assert (await runtime.runs.get(run.id)).status is RunStatus.INTERRUPTED
    assert len(done(folder)) == effects
    return run.id


async def asked(runtime, run_id):
    waiting = await runtime.runs.interrupts(run_id)
    return {one["value"]["arguments"]["name"]: one["id"] for one in waiting}


@pytest.mark.parametrize("agent", [REACT, TOGETHER], ids=["tasks", "one task"])
async def test_each_answer_is_for_its_call(opened, tmp_path, agent):
    run_id = await stopped(opened, tmp_path, agent, 2)
    answers = {"a": {"repeat": True}, "b": {"outcome": "b was done"}}
    while waiting := await asked(opened, run_id):
        given = {id_: answers.pop(name) for name, id_ in waiting.items()}
        reply = await opened.resume(run_id, given, agent=agent)
    assert not answers
    assert reply.text == "a is done, b was done"
    assert done(tmp_path) == ["a", "a", "b"]


async def test_the_answers_that_are_offered_can_be_given_as_they_are_printed(opened, tmp_path):
    run_id = await stopped(opened, tmp_path, IN_TURN, 1)
    [waiting] = await opened.runs.interrupts(run_id)
    with pytest.raises(InputError) as refused:
        await opened.resume(run_id, "{'repeat': true}", agent=IN_TURN)
    for told in (waiting["value"]["message"], refused.value.hint):
        repeat, outcome = map(json.loads, re.findall(r"\{.*?\}", told))
        assert (repeat, list(outcome)) == ({"repeat": True}, ["outcome"])
    reply = await opened.resume(run_id, repeat, agent=IN_TURN)
    assert reply.text == "a is done, b is done"
    assert done(tmp_path) == ["a", "a", "b"]


async def test_an_effect_of_a_plain_node_is_asked_about(opened, tmp_path):
    run_id = await stopped(opened, tmp_path, IN_TURN, 1)
    reply = await opened.resume(run_id, {"outcome": "a was done"}, agent=IN_TURN)
    assert reply.text == "a was done, b is done"
    assert done(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    "wrong",
    ["yes", {"repeat": False}, {"repeat": 1}, {"outcome": 3}, {"outcome": " "}, {}, [True],
     {"repeat": True, "outcome": "both"}],
)  # fmt: skip
async def test_a_wrong_answer_is_refused_and_the_run_waits_on(opened, tmp_path, wrong):
    run_id = await stopped(opened, tmp_path, TOGETHER, 2)
    with pytest.raises(InputError, match="neither 'repeat' nor 'outcome'"):
        await opened.resume(run_id, wrong, agent=TOGETHER)
    run = await opened.runs.get(run_id)
    assert (run.status, run.attempt) == (RunStatus.INTERRUPTED, 2)
    assert await asked(opened, run_id)


async def test_what_a_person_said_is_known_from_then_on(opened, tmp_path):
    run_id = await stopped(opened, tmp_path, TOGETHER, 2)
    [first] = await asked(opened, run_id)
    await opened.resume(run_id, {"outcome": "first was done"}, agent=TOGETHER)
    [second] = await asked(opened, run_id)
    assert {first, second} == {"a", "b"}
    reply = await opened.resume(run_id, {"outcome": "second was done"}, agent=TOGETHER)
    assert "first was done" in reply.text
    assert "second was done" in reply.text
    assert done(tmp_path) == ["a", "b"]
