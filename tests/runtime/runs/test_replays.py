"""Recorded conversations of each pattern, fifty in the long form, replay from journals alone."""

import socket

import pytest

from tests.runtime.runs.recordings import COLLEAGUES, DRAFTING, TOOLS, case
from tests.support.models import settings_for
from treadle.core.errors import TreadleError
from treadle.graphs import pattern_names
from treadle.runtime import Runtime
from treadle.runtime.runs import JournalFile, Replayer, RunStatus
from treadle.runtime.testing import ScriptedOpenAI

COUNT, SHORT = 50, 4
MORE = {"react": 12, "chain_of_thought": 12}
GRAPHS = sorted({*pattern_names(), "drafting"})
CASES = [
    *((graph, MORE.get(graph, SHORT)) for graph in GRAPHS),
    *(pytest.param(graph, COUNT, marks=pytest.mark.soak) for graph in GRAPHS),
]


async def record(rt, one):
    """Hold the conversation; return the journals of its runs as files."""
    thread, runs = f"thread-{one.agent.name}", []
    for question in one.questions:
        try:
            reply = await rt.ask(one.agent, question, thread=thread, user=one.user)
            for _ in range(6):
                waiting = await rt.runs.interrupts(reply.run_id)
                if not waiting or one.random.random() < 0.2:
                    break
                answers = {str(w["id"]): "the left one" for w in waiting}
                reply = await rt.resume(reply.run_id, answers, agent=one.agent)
        except TreadleError:
            pass  # A run that failed is replayed as well.
        [newest] = await rt.runs.recent(1, thread=thread)
        file = await rt.runs.export(newest.id)
        runs.append((newest.status, JournalFile.from_text(file.to_text())))
        if newest.status is RunStatus.INTERRUPTED:
            break
    return runs


@pytest.mark.parametrize(("graph", "count"), CASES)
async def test_recorded_conversations_replay_without_a_socket(
    graph, count, redis_url, tmp_path, monkeypatch
):
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "drafting.yaml").write_text(DRAFTING)
    (tmp_path / "agents").mkdir()
    for name in COLLEAGUES:
        (tmp_path / "agents" / f"{name}.yaml").write_text(f"description: Knows {name}s.\n")
    recorded = []
    for number in range(count):
        one = case(graph, number)
        with ScriptedOpenAI(one.reply, verify=False) as server:
            settings = settings_for(server)
            async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
                recorded += [(number, *run) for run in await record(rt, one)]

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    replayer = Replayer(tmp_path, settings)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    differing = []
    for number, status, file in recorded:
        replay = await replayer.replay(file)
        if replay.difference is not None:
            differing.append(f"{number} ({status}): {replay.difference}")
    assert not differing, "\n".join(differing)
    assert len(recorded) >= count
    if graph == "react":
        ends = {status for _, status, _ in recorded}
        assert ends >= {RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.INTERRUPTED}
