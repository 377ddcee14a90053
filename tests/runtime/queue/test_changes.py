"""What a command changes beside giving answers happens once, whatever becomes of the attempts."""

import pytest

from tests.runtime.queue.conftest import working
from treadle.core.errors import InputError
from treadle.runtime.queue import Change, RunOptions, RunRequest
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, rate_limited, say

GRAPH = """
import operator
from typing import Annotated, TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from openai import RateLimitError
from treadle.core.errors import ModelUnavailableError


class State(TypedDict):
    said: Annotated[list[str], operator.add]


async def ask(about):
    model = ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=5)
    try:
        return (await model.ainvoke(about)).text
    except RateLimitError as busy:
        raise ModelUnavailableError("It is busy.") from busy


async def wonder(state: State):
    before = await ask("before it wonders")
    answers = [interrupt("Sure?"), interrupt("Really?")]
    return {"said": [before, *answers, await ask("after it wondered")]}


async def last(state: State):
    return {"said": ["last"]}


graph = StateGraph(State).add_node(wonder).add_node(last).add_edge(START, "wonder")
"""
SAID = {"said": []}


@pytest.fixture
def asked(opened, project, monkeypatch):
    """Return what opens a runtime whose model answers by a script, and its worker."""
    (project / "graphs.py").write_text(GRAPH)
    (project / "agents" / "wonderer.yaml").write_text("graph: graphs.py:graph\n")

    def open_with(server):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return opened(server, backoff_seconds=0.01)

    return open_with


async def done(runtime, run, *, expected=RunStatus.INTERRUPTED):
    found = await runtime.queue.wait(run)
    assert found.status is expected, found.error
    return found


async def said(runtime):
    config = {"configurable": {"thread_id": "t"}}
    return (await runtime.graph("wonderer").aget_state(config)).values["said"]


async def test_answers_bring_changes_and_nodes_along(asked):
    with ScriptedOpenAI([say("b"), rate_limited(), rate_limited(), say("a")]) as server:
        async with asked(server) as runtime, working(runtime):
            queued = await runtime.queue.submit(RunRequest("wonderer", SAID, "t"))
            await done(runtime, queued.run_id)
            await runtime.queue.resume(queued.run_id, "yes", change=Change({"said": ["one"]}))
            await done(runtime, queued.run_id)
            change = Change([["said", ["two"]], ["said", ["three"]]], ["last"])
            await runtime.queue.resume(queued.run_id, "really", change=change)
            run = await done(runtime, queued.run_id, expected=RunStatus.SUCCESS)
            assert run.attempt == 5, "two of them met a busy provider after the changes were taken"
            found = await said(runtime)
            assert found[:3] == ["one", "two", "three"]
            assert sorted(found[3:]) == ["a", "b", "last", "really", "yes"]
            replay = await runtime.runs.replay(await runtime.runs.export(run.id))
            assert replay.difference is None


async def test_a_run_that_begins_with_a_command_takes_it_once(asked):
    script = [say("b"), say("a"), rate_limited(), say("b"), rate_limited(), say("a")]
    with ScriptedOpenAI(script) as server:
        async with asked(server) as runtime, working(runtime):
            first = await runtime.queue.submit(RunRequest("wonderer", SAID, "t"))
            for answer in ("yes", "really"):
                await done(runtime, first.run_id)
                await runtime.queue.resume(first.run_id, answer)
            await done(runtime, first.run_id, expected=RunStatus.SUCCESS)
            options = RunOptions(update={"said": ["more"]}, goto=["wonder"])
            again = await runtime.queue.submit(RunRequest("wonderer", None, "t", options=options))
            for answer in ("yes2", "really2"):
                await done(runtime, again.run_id)
                await runtime.queue.resume(again.run_id, answer)
            run = await done(runtime, again.run_id, expected=RunStatus.SUCCESS)
            assert run.attempt == 5
            earlier, now = ["b", "yes", "really", "a"], ["b", "yes2", "really2", "a"]
            assert await said(runtime) == [*earlier, "more", *now]
            replay = await runtime.runs.replay(await runtime.runs.export(run.id))
            assert replay.difference is None


async def test_what_cannot_be_done_is_refused(asked):
    with ScriptedOpenAI([say("b")]) as server:
        async with asked(server) as runtime, working(runtime):
            with pytest.raises(InputError, match="no node 'nowhere'"):
                await runtime.queue.submit(
                    RunRequest("wonderer", None, "t", options=RunOptions(goto=["nowhere"]))
                )
            queued = await runtime.queue.submit(RunRequest("wonderer", SAID, "t"))
            await done(runtime, queued.run_id)
            change = Change(goto=[{"node": "nowhere", "input": {}}])
            with pytest.raises(InputError, match="no node 'nowhere'"):
                await runtime.queue.resume(queued.run_id, "yes", change=change)
            await runtime.queue.resume(queued.run_id, "yes")
            await done(runtime, queued.run_id)
