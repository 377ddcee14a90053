"""A client of the protocol, connected to a real server."""

import pytest
from langgraph_sdk import get_client

from tests.server.langgraph.app import make_project, running


@pytest.fixture
async def served(redis_url, tmp_path):
    async with running(redis_url, make_project(tmp_path)) as served:
        yield served


@pytest.fixture
async def client(served):
    async with get_client(url=served[0]) as client:
        yield client


@pytest.fixture
def runtime(served):
    return served[1]
