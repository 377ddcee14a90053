"""``connect``: from a Redis URL to a client that is known to work."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.retry import Retry
from treadle.core.errors import RedisError
from treadle.memory._embedded import EmbeddedRedis
from treadle.memory._redis_url import Address, Embedded, Server, parse

AsyncRedis: TypeAlias = redis.asyncio.Redis
SyncRedis: TypeAlias = redis.Redis


@asynccontextmanager
async def connect(url: str | None = None) -> AsyncIterator[AsyncRedis]:
    """Open a client."""
    address = parse(url)
    with ExitStack() as stack:
        if isinstance(address, Embedded):
            server = EmbeddedRedis(address.folder)
            await asyncio.to_thread(server.acquire)
            stack.callback(server.release)
            address = Server(address.shown, server.url)
        client = redis.asyncio.Redis.from_pool(
            redis.asyncio.BlockingConnectionPool.from_url(address.url)
        )
        try:
            await client.ping()
            yield client
        finally:
            await client.aclose()


@contextmanager
def connect_sync(url: str | None = None) -> Iterator[SyncRedis]:
    """Open a client."""
    address = parse(url)
    with ExitStack() as stack:
        if isinstance(address, Embedded):
            server = EmbeddedRedis(address.folder)
            server.acquire()
            stack.callback(server.release)
            address = Server(address.shown, server.url)
        client = redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(address.url))
        try:
            client.ping()
            yield client
        finally:
            client.close()
