"""The queue on a Redis Cluster, on a newer server, and through a failover to a replica."""

import asyncio

import pytest

from tests.runtime.queue.conftest import submit
from tests.runtime.queue.test_worker_processes import check, flood, heard
from tests.runtime.queue.worker_processes import workers, write_settings
from tests.support.sentinel_service import running_service
from tests.support.waiting import eventually
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.schedules import FireStatus, ScheduleSettings
from treadle.runtime.testing import ScriptedOpenAI


@pytest.fixture
def served(project):
    """Give the scripted model of a project with short leases."""
    with ScriptedOpenAI(heard) as server:
        write_settings(project, server.base_url)
        yield server


@pytest.fixture
def system_url(system_redis):
    with system_redis.client() as client:
        client.flushall()
    return system_redis.url


@pytest.mark.parametrize("where", ["cluster_url", "system_url"])
async def test_workers_that_are_killed(request, project, served, where):
    """Runs and a schedule's fire, on servers that the other tests do not use."""
    url = request.getfixturevalue(where)
    daily = ScheduleSettings(agent="counter", input="It is time.", cron="0 0 1 1 *")
    async with Runtime.open(url, project) as runtime:
        await runtime.schedules.add("s", daily)
        with workers(project, url, 2) as team:
            runs = await flood(runtime, 4, 4)
            await eventually(lambda: served.requests, within_seconds=60)
            team.kill()
            fire = await runtime.schedules.run_now("s")
            await check(runtime, runs)
            await eventually(lambda: _succeeded(runtime, fire), within_seconds=60)
            refused = await asyncio.gather(
                *(submit(runtime, f"{n}.", "busy", multitask="reject") for n in range(5)),
                return_exceptions=True,
            )
            [accepted] = [one for one in refused if not isinstance(one, Exception)]
            assert (await runtime.queue.wait(accepted.run_id)).status is RunStatus.SUCCESS


async def _succeeded(runtime, fire):
    return (await runtime.schedules.fire(fire)).status is FireStatus.SUCCESS


async def test_a_failover_to_a_replica(short_tmp_path, project, served):
    """What the replica had is executed; what was under way goes on there by itself."""
    with running_service(short_tmp_path) as service:
        async with Runtime.open(service.url, project) as runtime:
            with workers(project, service.url, 2):
                runs = await flood(runtime, 4, 6)
                await eventually(lambda: served.requests, within_seconds=60)
                await asyncio.to_thread(service.fail_over)
                await check(runtime, runs)
