"""Savers that several tests use."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from tests.support.redis_servers import RedisServer
from treadle.memory.saver import RedisSaver


@pytest.fixture
def client(empty_redis_6_2: RedisServer) -> Iterator[redis.Redis]:
    """Give a client of an empty Redis 6.2."""
    with empty_redis_6_2.client() as connected:
        yield connected


@pytest.fixture
def saver(client: redis.Redis) -> RedisSaver:
    return RedisSaver(client, ttl=timedelta(hours=1))
