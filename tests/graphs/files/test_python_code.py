"""A graph file and the Python code that is written of it are the same graph."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.support.graph_files import GRAPH, reply, reply_badly, write_project
from tests.support.models import settings_for
from treadle.agents import find_agent
from treadle.cli._app import app
from treadle.core.errors import ModelError
from treadle.graphs.files._conditions import literal
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, unauthorized

QUESTION = "How many shafts has a loom?"


def write_code(project):
    """Write the graph as Python beside it; return the agents that use the one and the other."""
    out = project / "graphs" / "loom_code.py"
    ran = CliRunner().invoke(
        app, ["graph", "weaver", "--to", "python", "-o", str(out), "-p", str(project)]
    )
    assert ran.exit_code == 0, ran.output
    of_file = find_agent("weaver", project)
    return of_file, of_file.model_copy(update={"graph": "graphs/loom_code.py:loom"})


@pytest.fixture(params=[reply, reply_badly])
async def runtime(redis_url, tmp_path, monkeypatch, request):
    monkeypatch.setenv("TEST_KEY", "test-key")
    write_project(tmp_path)
    with ScriptedOpenAI(request.param) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            rt.server = server
            yield rt


async def test_both_give_the_same_journal_and_replay_each_other(runtime, tmp_path):
    of_file, of_code = write_code(tmp_path)
    first = await runtime.ask(of_file, QUESTION)
    second = await runtime.ask(of_code, QUESTION)
    assert first.text == second.text == "It has four shafts."
    assert first.usage == second.usage
    assert first.usage.tool_calls == 3  # two parts, and the helper
    named = await runtime.runs.diff(first.run_id, second.run_id)
    files = {"prompts.graphs/loom.yaml", "prompts.graphs/loom_code.py"}
    # They differ in the file that they are written in, and in nothing that was called.
    assert {(one.where, one.field) for one in named} == {
        ("the agent", field) for field in {"graph", *files}
    }
    asked = len(runtime.server.requests)
    assert (await runtime.runs.replay(first.run_id, agent=of_code)).difference is None
    assert (await runtime.runs.replay(second.run_id, agent=of_file)).difference is None
    assert len(runtime.server.requests) == asked


async def test_a_second_turn_replays_too(runtime, tmp_path):
    of_file, of_code = write_code(tmp_path)
    first = await runtime.ask(of_file, QUESTION)
    again = await runtime.ask(of_file, QUESTION, thread=first.thread_id)
    assert (await runtime.runs.replay(again.run_id, agent=of_code)).difference is None


async def test_a_replay_names_the_file_that_has_changed(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    write_project(tmp_path)
    with ScriptedOpenAI(reply) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            run = (await rt.ask("weaver", QUESTION)).run_id
            assert (await rt.runs.replay(run)).changes == ()
            write_project(tmp_path, GRAPH.replace("SPLIT into", "SPLIT it into"))
            done = await rt.runs.replay(run)
    assert [change.field for change in done.changes] == ["prompts.graphs/loom.yaml"]
    assert done.difference is not None
    assert "SPLIT it into" in str(done.difference)


async def test_a_run_that_broke_off_goes_on_from_what_was_done(redis_url, tmp_path, monkeypatch):
    """Wherever a call fails, going on makes the calls that are left."""
    monkeypatch.setenv("TEST_KEY", "test-key")
    write_project(tmp_path)
    calls = 6
    for broken in range(calls):
        asked = []

        def breaking(request, broken=broken, asked=asked):
            asked.append(request)
            return unauthorized() if len(asked) == broken + 1 else reply(request)

        with ScriptedOpenAI(breaking) as server:
            async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
                with pytest.raises(ModelError):
                    await rt.ask("weaver", QUESTION)
                (run,) = await rt.runs.recent(1)
                answer = await rt.resume(run.id)
                assert answer.text == "It has four shafts."
                assert (await rt.runs.replay(run.id)).difference is None
        # The node beside the one that failed may have been cut off while it was asking.
        assert calls + 1 <= len(asked) <= calls + 2


def test_the_code_is_written_as_a_person_would(tmp_path):
    write_project(tmp_path)
    write_code(tmp_path)
    path = tmp_path / "graphs" / "loom_code.py"
    for command in (["check", "--select", "E4,E7,F,I,W"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--line-length", "100", "--isolated", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr + path.read_text()


@given(st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_texts_and_data_come_through_whole(value):
    assert eval(literal(value)) == value
