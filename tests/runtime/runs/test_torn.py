"""Runs that broke off in the middle replay as they ran: to the place where they broke off.

One branch failed while another one had no answer yet, or waited for a person; somebody stopped the
run; its process died.
"""

import asyncio
import socket

import pytest

from tests.support.models import settings_for
from tests.support.waiting import eventually
from treadle.agents import Agent
from treadle.core.errors import RunError
from treadle.runtime import Runtime
from treadle.runtime.runs import JournalFile, RunStatus, _torn
from treadle.runtime.testing import ScriptedOpenAI, fail, hang, say

GRAPHS = '''
import asyncio
import time
from pathlib import Path

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send, interrupt

HERE = Path(__file__).parent


def model():
    return ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=30)


@tool
async def confirm() -> str:
    """Ask a person."""
    return interrupt("Really?")


def asks(*texts, then=""):
    async def node(state):
        while then and not (HERE / then).exists():
            await asyncio.sleep(0.005)
        said = [(await model().ainvoke(text)).text for text in texts]
        return {"messages": [AIMessage(" ".join(said))]}

    return node


def asks_plainly(*texts, then=""):
    def node(state):
        while then and not (HERE / then).exists():
            time.sleep(0.005)
        said = [model().invoke(text).text for text in texts]
        return {"messages": [AIMessage(" ".join(said))]}

    return node


async def breaks(state):
    while not (HERE / "hangs").exists():
        await asyncio.sleep(0.005)
    raise ValueError("it broke")


def waits(question):
    def node(state):
        return {"messages": [AIMessage(interrupt(question))]}

    return node


async def confirms(state):
    return {"messages": [AIMessage(await confirm.ainvoke({}))]}


def side_by_side(**nodes):
    graph = StateGraph(MessagesState)
    for name, node in nodes.items():
        graph.add_node(name, node).add_edge(START, name)
    return graph.compile()


def sent(*texts):
    graph = StateGraph(MessagesState)

    async def branch(state):
        while state["text"] == "fail" and not (HERE / "hangs").exists():
            await asyncio.sleep(0.005)
        return {"messages": [AIMessage((await model().ainvoke(state["text"])).text)]}

    graph.add_node("branch", branch)
    graph.add_conditional_edges(START, lambda _: [Send("branch", {"text": t}) for t in texts])
    return graph.compile()


failing = asks("fail", then="hangs")
hanging = side_by_side(left=asks("one", "hang"), right=failing)
hanging_threads = side_by_side(
    left=asks_plainly("one", "hang"), right=asks_plainly("fail", then="hangs")
)
hanging_sent = sent("one", "hang", "fail")
hanging_inside = side_by_side(left=hanging, right=asks("two"))
broken = side_by_side(left=asks("one", "two", "hang"), right=breaks)
mended = side_by_side(left=asks("one", "two", "hang"), right=asks())
asked_beside = side_by_side(left=waits("Which?"), right=asks("fail"))
asked_by_a_tool = side_by_side(left=confirms, right=asks("fail"))
in_turn = side_by_side(only=asks("one", "hang", "two"))
two_questions = side_by_side(left=waits("Left?"), right=waits("Right?"), tool=confirms)
'''


class Provider:
    """Answers by what is asked: it hangs, fails or answers."""

    def __init__(self, project):
        self.hangs = project / "hangs"
        self.is_well = False
        self.asked = []

    def __call__(self, request):
        text = request.last_user_text
        self.asked.append(text)
        if text == "hang":
            self.hangs.touch()
            if not self.is_well:
                return hang()
        if text == "fail" and not self.is_well:
            return fail(400, "That cannot be asked.")
        return say(f"I heard {text}.")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "graphs.py").write_text(GRAPHS)
    return tmp_path


@pytest.fixture
async def opened(redis_url, project, monkeypatch):
    provider = Provider(project)
    with ScriptedOpenAI(provider) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as runtime:
            yield runtime, provider


def agent(graph):
    return Agent(name="torn", graph=f"graphs.py:{graph}")


@pytest.fixture
def replayed(monkeypatch):
    """Replay a run from its file alone; return what is different."""

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    async def replaying(runtime, run_id):
        file = await runtime.runs.export(run_id)
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", refuse)
            patch.setattr(socket.socket, "connect_ex", refuse)
            replay = await runtime.runs.replay(JournalFile.from_text(file.to_text()))
        return replay.difference

    return replaying


async def newest(runtime):
    [run] = await runtime.runs.recent(1)
    return run


@pytest.mark.parametrize(
    "graph", ["hanging", "hanging_threads", "hanging_sent", "hanging_inside", "broken"]
)
async def test_a_branch_failed_while_another_had_no_answer(graph, opened, replayed):
    runtime, provider = opened
    with pytest.raises(RunError):
        await runtime.ask(agent(graph), "Go.", thread="t")
    run = await newest(runtime)
    assert run.status is RunStatus.ERROR
    assert "hang" in provider.asked
    assert await replayed(runtime, run.id) is None


@pytest.mark.parametrize("graph", ["asked_beside", "asked_by_a_tool"])
async def test_a_branch_failed_while_another_waited_for_a_person(graph, opened, replayed):
    runtime, provider = opened
    with pytest.raises(RunError):
        await runtime.ask(agent(graph), "Go.", thread="t")
    run = await newest(runtime)
    assert run.status is RunStatus.ERROR
    assert await replayed(runtime, run.id) is None
    provider.is_well = True
    await runtime.resume(run.id, agent=agent(graph))
    assert (await runtime.runs.get(run.id)).status is RunStatus.INTERRUPTED
    assert await replayed(runtime, run.id) is None
    await runtime.resume(run.id, "This one.", agent=agent(graph))
    assert (await runtime.runs.get(run.id)).status is RunStatus.SUCCESS
    assert await replayed(runtime, run.id) is None


async def test_a_replay_that_no_longer_breaks_off_names_the_call(opened, monkeypatch):
    runtime, _ = opened
    with pytest.raises(RunError):
        await runtime.ask(agent("broken"), "Go.", thread="t")
    run = await newest(runtime)
    monkeypatch.setattr(_torn, "PATIENCE_SECONDS", 0.2)
    difference = (await runtime.runs.replay(run.id, agent=agent("mended"))).difference
    assert difference is not None
    assert difference.where == "call 3, model openai:gpt-5-mini in left"
    assert (difference.recorded, difference.found) == ("not recorded", "needed")


async def test_a_stopped_run_replays_to_where_it_was_stopped(opened, replayed):
    runtime, provider = opened
    asking = asyncio.create_task(runtime.ask(agent("in_turn"), "Go.", thread="t"))
    await eventually(lambda: "hang" in provider.asked)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    run = await newest(runtime)
    assert run.status is RunStatus.CANCELLED
    assert await replayed(runtime, run.id) is None
    provider.is_well = True
    await runtime.resume(run.id, agent=agent("in_turn"))
    assert await replayed(runtime, run.id) is None


async def test_answers_reach_the_questions_they_were_given_to(opened, replayed):
    runtime, _ = opened
    two = agent("two_questions")
    run_id = (await runtime.ask(two, "Go.", thread="t")).run_id
    for value in ("Right?", "Really?", "Left?"):
        waiting = {one["value"]: one["id"] for one in await runtime.runs.interrupts(run_id)}
        await runtime.resume(run_id, {waiting[value]: f"To {value}"}, agent=two)
        assert await replayed(runtime, run_id) is None
    assert (await runtime.runs.get(run_id)).status is RunStatus.SUCCESS
