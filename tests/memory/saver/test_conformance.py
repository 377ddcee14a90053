"""LangGraph's own conformance suite, base and optional capabilities, on every kind of server."""

from collections.abc import AsyncGenerator, Callable
from uuid import uuid4

import redis
import redis.asyncio
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES

from tests.support.redis_servers import RedisServer
from treadle.memory import connect_sync
from treadle.memory.saver import RedisSaver


async def conforms(make: Callable[[], RedisSaver]) -> None:
    async def factory() -> AsyncGenerator[RedisSaver, None]:
        async with make() as saver:
            yield saver

    report = await validate(checkpointer_test(name=uuid4().hex)(factory))
    assert [f for result in report.results.values() for f in result.failures] == []
    assert {name for name, result in report.results.items() if result.passed} == {
        capability.value for capability in ALL_CAPABILITIES
    }


async def test_opened_from_a_url(redis_server: RedisServer) -> None:
    await conforms(lambda: RedisSaver.from_conn_string(redis_server.url))


async def test_over_a_synchronous_client(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        await conforms(lambda: RedisSaver(client))


async def test_over_a_client_that_decodes_answers(redis_server: RedisServer) -> None:
    path = str(redis_server.socket_path)
    async with redis.asyncio.Redis(unix_socket_path=path, decode_responses=True) as client:
        await conforms(lambda: RedisSaver(client))


async def test_over_the_older_protocol(redis_server: RedisServer) -> None:
    path = str(redis_server.socket_path)
    async with redis.asyncio.Redis(unix_socket_path=path, protocol=2) as client:
        await conforms(lambda: RedisSaver(client))


async def test_on_a_cluster(cluster_url: str) -> None:
    await conforms(lambda: RedisSaver.from_conn_string(cluster_url))


async def test_on_a_cluster_over_a_synchronous_client(cluster_url: str) -> None:
    with connect_sync(cluster_url) as client:
        await conforms(lambda: RedisSaver(client))
