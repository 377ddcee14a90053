"""Schedulers in processes of their own that are killed: each moment fires, and fires once."""

import itertools
from datetime import timedelta

import pytest

from tests.runtime.queue.worker_processes import Dying, workers, write_settings
from tests.support.waiting import eventually
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.schedules import FireStatus, ScheduleSettings
from treadle.runtime.testing import ScriptedOpenAI, say

LEASE = timedelta(seconds=1)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give a project whose model answers at once."""
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text("description: Writes.")
    with ScriptedOpenAI(lambda _: say("Written.")) as server:
        write_settings(tmp_path, server.base_url)
        yield tmp_path


async def history(runtime):
    return await runtime.schedules.history("s", 500)


async def succeeded(runtime):
    fires = await history(runtime)
    return fires if all(fire.status is FireStatus.SUCCESS for fire in fires) else None


async def test_two_of_which_one_is_killed_again_and_again(redis_url, project):
    every = ScheduleSettings(
        agent="writer", input="Write.", every="1s", overlap="queue", missed="all"
    )
    async with Runtime.open(redis_url, project) as runtime:
        with workers(project, redis_url, 2, lease=LEASE) as team:
            await runtime.schedules.add("s", every)
            for number in range(3):
                seen = len(await history(runtime))
                await eventually(lambda n=seen: _more(runtime, n), within_seconds=60)
                team.kill(number % 2)
                team.start()
            await runtime.schedules.pause("s")
            fires = await eventually(lambda: succeeded(runtime), within_seconds=60)
        runs = await runtime.runs.recent(1_000)
    planned = sorted(fire.planned for fire in fires)
    assert len(planned) >= 3
    assert {b - a for a, b in itertools.pairwise(planned)} == {timedelta(seconds=1)}
    assert sorted(fire.run_id for fire in fires) == sorted(run.id for run in runs)
    assert {run.status for run in runs} == {RunStatus.SUCCESS}


async def _more(runtime, seen):
    return len(await history(runtime)) > seen


@pytest.mark.parametrize("at", ["launch", "launched"])
async def test_one_that_dies_with_a_fire_in_its_hands(redis_url, project, at):
    """It dies after it claimed the fire, before the queue has its run or just after that."""
    once = ScheduleSettings(agent="writer", input="Write.", cron="0 0 1 1 *")
    async with Runtime.open(redis_url, project) as runtime:
        with workers(project, redis_url, 0, lease=LEASE) as team:
            await runtime.schedules.add("s", once)
            await runtime.schedules.run_now("s")
            dead = team.start(Dying(at))
            await eventually(lambda: not dead.is_alive(), within_seconds=60)
            assert dead.exitcode == -9
            team.alive.clear()
            assert len(await runtime.runs.recent(10)) == (at == "launched")
            team.start()
            fires = await eventually(lambda: succeeded(runtime), within_seconds=60)
        runs = await runtime.runs.recent(10)
    assert [fire.run_id for fire in fires] == [run.id for run in runs]
    assert [run.status for run in runs] == [RunStatus.SUCCESS]
