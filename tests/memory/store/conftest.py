"""Stores that several tests use, and embeddings that count letters."""

from collections.abc import Iterator, Sequence

import pytest
import redis
from langgraph.store.base import IndexConfig

from tests.support.redis_servers import RedisServer
from treadle.memory.store import RedisStore

DIMS = 26


def letters(texts: Sequence[str]) -> list[list[float]]:
    """Embed texts by how often each letter occurs in them."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return [[float(text.lower().count(letter)) for letter in alphabet] for text in texts]


def by_letters(*fields: str) -> IndexConfig:
    """Return an index over those letter counts."""
    return {"dims": DIMS, "embed": letters, "fields": list(fields) or None}


@pytest.fixture
def client(empty_redis_6_2: RedisServer) -> Iterator[redis.Redis]:
    """Give a client of an empty Redis 6.2."""
    with empty_redis_6_2.client() as connected:
        yield connected


@pytest.fixture
def store(client: redis.Redis) -> RedisStore:
    return RedisStore(client)
