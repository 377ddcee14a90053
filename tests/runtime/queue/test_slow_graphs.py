"""Graphs whose modules take longer to load than a lease holds."""

import asyncio

import pytest

from tests.runtime.queue.conftest import working
from tests.support.waiting import eventually
from treadle.core.settings import RunSettings, Settings
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest
from treadle.runtime.runs import RunStatus

LEASE_SECONDS = 1
GRAPH = """
import time
from pathlib import Path

from langgraph.graph import START, MessagesState, StateGraph

HERE = Path(__file__).parent


def note(what):
    with (HERE / "log").open("a") as log:
        log.write(what + "\\n")


def work(state):
    note("worked")
    return {"messages": [("ai", "Done.")]}


if (HERE / "slow").exists():
    note("begun")
    last = time.monotonic() + 20
    while not (HERE / "gate").exists() and time.monotonic() < last:
        time.sleep(0.01)
    note("let go" if (HERE / "gate").exists() else "gave up")
graph = StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")
"""


def make_project(folder, *, slow):
    (folder / "agents").mkdir(parents=True)
    (folder / "agents" / "own.yaml").write_text("graph: own.py:graph\n")
    (folder / "own.py").write_text(GRAPH)
    if slow:
        (folder / "slow").touch()
    return folder


def log_of(project):
    log = project / "log"
    return log.read_text().split("\n")[:-1] if log.exists() else []


@pytest.fixture
def opened(redis_url):
    """Return what opens a project whose leases are short."""
    settings = Settings(runs=RunSettings(lease_seconds=LEASE_SECONDS))
    return lambda project: Runtime.open(redis_url, project, settings=settings)


async def longer_than_a_lease(runtime):
    """Wait until Redis' clock has gone on for as long as two leases hold."""
    seconds, micros = await runtime.redis.time()
    until = seconds + micros / 1e6 + 2 * LEASE_SECONDS

    async def is_over():
        seconds, micros = await runtime.redis.time()
        return seconds + micros / 1e6 > until

    await eventually(is_over)


async def test_a_worker_keeps_its_lease_while_it_loads_a_graph(opened, tmp_path, caplog):
    quick = make_project(tmp_path / "quick", slow=False)
    slow = make_project(tmp_path / "slow", slow=True)
    async with opened(quick) as asking, opened(slow) as runtime, working(runtime):
        queued = await asking.queue.submit(RunRequest("own", "Work.", thread_id="t"))
        await eventually(lambda: log_of(slow) == ["begun"])
        async with working(asking):  # It would take over what nobody holds any more.
            await longer_than_a_lease(asking)
            (slow / "gate").touch()
            run = await asking.queue.wait(queued.run_id)
    assert (run.status, run.attempt) == (RunStatus.SUCCESS, 1)
    assert (log_of(slow), log_of(quick)) == (["begun", "let go", "worked"], [])
    assert "left to another worker" not in caplog.text


async def test_several_runs_of_a_graph_wait_for_one_load(opened, tmp_path):
    quick = make_project(tmp_path / "quick", slow=False)
    slow = make_project(tmp_path / "slow", slow=True)
    async with opened(quick) as asking, opened(slow) as runtime, working(runtime) as worker:
        runs = [await asking.queue.submit(RunRequest("own", "Work.")) for _ in range(3)]
        await eventually(lambda: worker.busy == 3 and log_of(slow) == ["begun"])
        (slow / "gate").touch()
        ended = [await asking.queue.wait(one.run_id) for one in runs]
    assert [(one.status, one.attempt) for one in ended] == [(RunStatus.SUCCESS, 1)] * 3
    assert log_of(slow) == ["begun", "let go", *["worked"] * 3]


async def test_whoever_submits_or_asks_goes_on_meanwhile(opened, tmp_path):
    slow = make_project(tmp_path / "slow", slow=True)
    async with opened(slow) as runtime:
        submitting = asyncio.create_task(runtime.queue.submit(RunRequest("own", "Work.")))
        asking = asyncio.create_task(runtime.ask("own", "Work."))
        await eventually(lambda: log_of(slow) == ["begun"])
        (slow / "gate").touch()
        await submitting
        assert (await asking).text == "Done."
        assert log_of(slow) == ["begun", "let go", "worked"]


async def test_a_graph_that_cannot_be_loaded_fails_its_run(opened, tmp_path):
    quick = make_project(tmp_path / "quick", slow=False)
    broken = make_project(tmp_path / "broken", slow=False)
    (broken / "own.py").write_text("import no_such_module_at_all\n")
    async with opened(quick) as asking, opened(broken) as runtime, working(runtime):
        queued = await asking.queue.submit(RunRequest("own", "Work."))
        run = await asking.queue.wait(queued.run_id)
    assert run.status is RunStatus.ERROR
    assert "no_such_module_at_all" in run.error
