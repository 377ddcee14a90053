"""LangGraph's own conformance suite, with every optional capability."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import redis.asyncio
from langgraph.checkpoint.conformance import checkpointer_test, validate

from treadle.memory.saver import RedisSaver


async def _validate(make) -> None:
    async def factory() -> AsyncGenerator[RedisSaver, None]:
        async with make() as saver:
            yield saver

    report = await validate(checkpointer_test(name=uuid4().hex)(factory))
    assert {name: result.failures for name, result in report.results.items()} == {
        name: [] for name in report.results
    }
    assert all(result.passed for result in report.results.values())
    assert report.passed_all()


async def test_asyncio_client(any_redis) -> None:
    await _validate(lambda: RedisSaver.from_conn_string(any_redis.url, prefix=f"{uuid4().hex}:"))


async def test_synchronous_client(any_redis) -> None:
    with any_redis.client() as client:
        await _validate(lambda: RedisSaver(client, prefix=f"{uuid4().hex}:"))


async def test_client_that_decodes_responses(any_redis) -> None:
    async with redis.asyncio.Redis(
        unix_socket_path=str(any_redis.socket), decode_responses=True
    ) as client:
        await _validate(lambda: RedisSaver(client, prefix=f"{uuid4().hex}:"))
