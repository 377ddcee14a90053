"""A project with one agent, and a runtime whose worker executes what is queued."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.support.models import settings_for
from treadle.core.settings import QueueSettings, RunSettings
from treadle.runtime import Runtime
from treadle.runtime.queue import RunRequest

AGENT = "description: Counts.\ntools: [calculate]\n"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "counter.yaml").write_text(AGENT)
    return tmp_path


@pytest.fixture
def opened(redis_url, project):
    """Open a runtime on the project, whose model is the given server."""

    @asynccontextmanager
    async def opening(server, *, runs=None, tries=1, **queue):
        changes = {"queue": QueueSettings(**queue), "runs": RunSettings(**(runs or {}))}
        settings = settings_for(server, max_retries=tries - 1).model_copy(update=changes)
        async with Runtime.open(redis_url, project, settings=settings) as runtime:
            yield runtime

    return opening


@asynccontextmanager
async def working(runtime, **options):
    """Let a worker execute what is queued."""
    worker = runtime.worker(**options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def submit(runtime, text="One.", thread="t", **options):
    """Queue a question."""
    return await runtime.queue.submit(RunRequest("counter", text, thread_id=thread, **options))
