"""Workers in the server's own process: for every tenant that is served, unless there are none."""

import pytest

from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest
from treadle.server import app
from treadle.server.security import ApiKeys


@pytest.fixture
async def runtime(redis_url, project):
    async with Runtime.open(redis_url, project, settings=Settings()) as runtime:
        yield runtime


async def test_queued_runs_of_every_tenant_with_a_key_are_executed(runtime):
    await ApiKeys(runtime.redis).create("for a test", tenant="acme")
    made = app(runtime)
    async with made.router.lifespan_context(made):
        for served in (runtime, runtime.of_tenant("acme")):
            queued = await served.queue.submit(RunRequest(agent="plain", input="Hello?"))
            assert (await served.queue.wait(queued.run.id)).status == "success"


async def test_without_workers_queued_runs_wait_for_another_process(runtime):
    made = app(runtime, workers=0)
    async with made.router.lifespan_context(made):
        queued = await runtime.queue.submit(RunRequest(agent="plain", input="Hello?"))
    assert (await runtime.runs.get(queued.run.id)).status == "pending"
    made = app(runtime)
    async with made.router.lifespan_context(made):
        assert (await runtime.queue.wait(queued.run.id)).status == "success"


async def test_metrics_say_how_full_the_queue_is(local, project):
    async with local(project, requires_key=False) as made:
        await made.runtime.queue.submit(RunRequest(agent="plain", input="Hello?"))
        counts = (await made.client.get("/metrics")).text
        assert 'treadle_queue_runs{queue="default",state="ready"} 1.0' in counts
        assert (await made.client.get("/metrics")).text.count(
            "treadle_queue_runs{"
        ) == counts.count("treadle_queue_runs{")
