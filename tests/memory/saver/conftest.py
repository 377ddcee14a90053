"""Savers that several tests use, on a server that is looked over after each test."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from tests.support.key_leaks import uneven_threads
from tests.support.redis_servers import RedisServer
from treadle.memory.saver import RedisSaver


@pytest.fixture
def client(redis_6_2: RedisServer) -> Iterator[redis.Redis]:
    """Give a client of an empty Redis 6.2; fail when keys of a thread would outlive the others."""
    with redis_6_2.client() as connected:
        connected.flushall()
        yield connected
        assert uneven_threads(connected) == []


@pytest.fixture
def saver(client: redis.Redis) -> RedisSaver:
    return RedisSaver(client, ttl=timedelta(hours=1))
