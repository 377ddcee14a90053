"""What the tests of notifications share: an outbox, and one that is told."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from treadle.core.errors import RunError
from treadle.memory import connect
from treadle.runtime.notifications import Message, Outbox
from treadle.runtime.runs import RunStore

PREFIX = "treadle:main:"
DAY = timedelta(days=1)


class Told:
    """Takes messages, or fails as often as it is told to."""

    def __init__(self, fails=0):
        self.fails = fails
        self.seen = []
        self.taken = []

    async def send(self, message):
        self.seen.append(message.id)
        if self.fails:
            self.fails -= 1
            raise RunError("It answered 503.")
        self.taken.append(message.id)


@pytest.fixture
async def client(redis_url):
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(connect(redis_url))


@pytest.fixture
def outbox(client):
    return Outbox(client, PREFIX, 30 * DAY)


@pytest.fixture
def store(client):
    return RunStore(client, PREFIX, 30 * DAY)


def message(number=1, **told):
    fields = {"target": "ops", "body": "{}", "run_id": "r", "status": "error", "attempt": 1}
    return Message(f"msg_{number}", **{**fields, **told})
