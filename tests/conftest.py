"""What every test may use: Redis servers, and models whose connections are closed at its end."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.models import close_models

pytest_plugins = ["tests.support.redis_fixtures"]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(autouse=True)
async def _models_closed() -> AsyncIterator[None]:
    yield
    await close_models()
