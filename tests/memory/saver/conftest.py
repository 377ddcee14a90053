"""Graphs and savers that several tests of the saver use."""

from collections.abc import Iterator

import pytest
import redis

from tests.support.redis_servers import RedisServer
from treadle.memory.saver import RedisSaver


@pytest.fixture
def client(redis_6_2: RedisServer) -> Iterator[redis.Redis]:
    """Give a client of an empty Redis 6.2."""
    with redis_6_2.client() as connected:
        connected.flushall()
        yield connected


@pytest.fixture
def saver(client: redis.Redis) -> RedisSaver:
    return RedisSaver(client)
