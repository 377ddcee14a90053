"""Runs of the queue replay, however they were asked for and however many attempts they took."""

import socket

import pytest

from tests.runtime.queue.conftest import submit, working
from tests.runtime.queue.worker_processes import workers, write_settings
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest
from treadle.runtime.runs import JournalFile, RunOptions, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, rate_limited, say

GRAPHS = """
import operator
from dataclasses import dataclass
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt


class State(TypedDict):
    said: Annotated[list[str], operator.add]


@dataclass
class Context:
    topic: str = "nothing"


async def ask(about):
    model = ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=5)
    return {"said": [(await model.ainvoke(about)).text]}


async def first(state: State, runtime: Runtime[Context]):
    return await ask(f"first about {runtime.context.topic if runtime.context else None}")


async def second(state: State, config):
    return await ask(f"second with {config['configurable'].get('voice')} after {state['said']}")


graph = StateGraph(State, context_schema=Context).add_node(first).add_node(second)
graph = graph.add_edge(START, "first").add_edge("first", "second")
"""


def heard(request):
    return say(f"I heard {request.last_user_text}.")


@pytest.fixture
def asked(opened, project, monkeypatch):
    """Return a runtime with a graph that takes a context and a config, and its worker."""
    (project / "graphs.py").write_text(GRAPHS)
    (project / "agents" / "talker.yaml").write_text("description: T.\ngraph: graphs.py:graph\n")
    return opened


async def replayed(runtime, run_id, monkeypatch):
    """Replay a run from its file alone; return the replay."""

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    file = JournalFile.from_text((await runtime.runs.export(run_id)).to_text())
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        return await runtime.runs.replay(file)


@pytest.fixture
async def talked(asked, monkeypatch):
    """Return a function that queues a run of the talker and replays it."""
    with ScriptedOpenAI(heard) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        async with asked(server) as runtime, working(runtime):

            async def talk(given, **options):
                request = RunRequest("talker", given, "t", options=RunOptions(**options))
                run = await runtime.queue.wait((await runtime.queue.submit(request)).run_id)
                assert run.status is RunStatus.SUCCESS, run.error
                replay = await replayed(runtime, run.id, monkeypatch)
                assert replay.difference is None
                return replay.calls

            talk.runtime = runtime
            talk.asked = lambda: [one.last_user_text for one in server.requests]
            yield talk


async def test_a_context_and_a_config_are_found_again(talked):
    options = {"context": {"topic": "looms"}, "configurable": {"voice": "bass"}}
    assert await talked({"said": []}, **options, recursion_limit=5) == 2
    assert "looms" in talked.asked()[0]
    assert "bass" in talked.asked()[1]


async def test_a_graph_that_is_stopped_at_a_node_goes_on_in_another_run(talked):
    assert await talked({"said": []}, interrupt_before=["second"]) == 1
    assert await talked(None) == 1
    assert await talked({"said": []}, interrupt_after=["first"]) == 1
    assert await talked(None) == 1


async def test_a_command_is_repeated(talked):
    assert await talked({"said": []}) == 2
    assert await talked(None, update={"said": ["updated"]}, goto=["second"]) == 1
    assert "updated" in talked.asked()[-1]
    assert await talked(None, update={"said": ["more"]}) == 0


async def test_a_run_goes_on_from_another_checkpoint(talked):
    await talked({"said": []})
    states = [
        state
        async for state in talked.runtime.graph("talker").aget_state_history(
            {"configurable": {"thread_id": "t"}}
        )
    ]
    [before] = [state for state in states if state.next == ("second",)]
    id_ = before.config["configurable"]["checkpoint_id"]
    assert await talked(None, checkpoint_id=id_) == 1
    assert len(talked.asked()) == 3


async def test_a_provider_that_was_busy_once_replays(opened, monkeypatch):
    """The first attempt made more calls than the one that came to the end."""
    script = [*[rate_limited(retry_after_seconds=0)] * 2, call("calculate", expression="6*7")]
    with ScriptedOpenAI([*script, say("It is 42.")]) as server:
        async with opened(server, tries=2, backoff_seconds=0.01) as runtime, working(runtime):
            run = await runtime.queue.wait((await submit(runtime)).run_id)
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)
            assert (await replayed(runtime, run.id, monkeypatch)).difference is None


async def test_a_run_of_a_killed_worker_replays_and_forks(redis_url, project, monkeypatch):
    kills = []

    def answer(request):
        if not request.tool_outputs:
            return call("calculate", expression="6*7")
        if len(kills) < 2:
            kills.append(team.alive.pop(0))
            team.start()
            kills[-1].kill()
        return say("It is 42.")

    with ScriptedOpenAI(answer) as server:
        write_settings(project, server.base_url, lease=2)
        with workers(project, redis_url, 1) as team:
            async with Runtime.open(redis_url, project) as runtime:
                run = await runtime.queue.wait((await submit(runtime)).run_id)
                assert (run.status, len(kills)) == (RunStatus.SUCCESS, 2)
                assert run.attempt > 2
                asked = len(server.requests)
                replay = await replayed(runtime, run.id, monkeypatch)
                assert (replay.difference, replay.calls) == (None, 3)
                fork = await runtime.fork(run.id)
                assert (fork.text, fork.usage.model_calls) == ("It is 42.", 0)
                assert await runtime.runs.diff(run.id, fork.run_id) == []
                assert len(server.requests) == asked
                edited = await runtime.fork(run.id, outcomes={2: "41"})
                assert edited.usage.model_calls == 1
                assert (await replayed(runtime, edited.run_id, monkeypatch)).difference is None
