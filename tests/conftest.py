"""What every test may use: Redis servers, and models whose connections are closed at its end."""

from collections.abc import AsyncIterator

import pytest

from tests.support.models import close_models

pytest_plugins = ["tests.support.redis_fixtures"]


@pytest.fixture(autouse=True)
async def _models_closed() -> AsyncIterator[None]:
    yield
    await close_models()
