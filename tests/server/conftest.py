"""The application in this process, asked over ASGI."""

from contextlib import asynccontextmanager

import httpx
import pytest

from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.server import app


@pytest.fixture
def local_app(redis_url):
    """Give what opens a client of a project's application."""

    @asynccontextmanager
    async def opened(project, settings=None):
        async with Runtime.open(redis_url, project, settings=settings or Settings()) as runtime:
            transport = httpx.ASGITransport(app(runtime), raise_app_exceptions=False)
            base = "http://127.0.0.1:8123"
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                yield client

    return opened
