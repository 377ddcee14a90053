"""One class, synchronous and asynchronous, over any client."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.memory.saver.graphs import chat_graph, said, thread
from tests.support.redis_servers import RedisServer
from treadle.core.errors import InputError
from treadle.memory import connect
from treadle.memory.saver import RedisSaver


def test_with(redis_server: RedisServer) -> None:
    with RedisSaver.from_conn_string(redis_server.url) as saver:
        live = chat_graph(saver).invoke(said("hello"), thread())
        assert chat_graph(saver).get_state(thread()).values == live
    with pytest.raises(InputError, match="not connected"):
        saver.get_tuple(thread())


async def test_async_with(redis_server: RedisServer) -> None:
    async with RedisSaver.from_conn_string(redis_server.url) as saver:
        live = await chat_graph(saver).ainvoke(said("hello"), thread())
        found = await chat_graph(saver).aget_state(thread())
        assert found.values == live


def test_the_embedded_server(short_tmp_path: Path) -> None:
    with RedisSaver.from_conn_string(f"embedded://{short_tmp_path}/data") as saver:
        live = chat_graph(saver).invoke(said("hello"), thread())
    with RedisSaver.from_conn_string(f"embedded://{short_tmp_path}/data") as saver:
        assert chat_graph(saver).get_state(thread()).values == live


async def test_asynchronous_methods_over_a_synchronous_client(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        saver = RedisSaver(client)
        live = await chat_graph(saver).ainvoke(said("hello"), thread())
        assert [item async for item in saver.alist(thread(), limit=1)]
        assert (await chat_graph(saver).aget_state(thread())).values == live


async def test_synchronous_methods_over_an_asyncio_client(redis_server: RedisServer) -> None:
    async with connect(redis_server.url) as client:
        saver = RedisSaver(client)
        graph = chat_graph(saver)
        live = await asyncio.to_thread(graph.invoke, said("hello"), thread())
        assert (await graph.aget_state(thread())).values == live
        with pytest.raises(InputError, match=r"on the event loop.*ainvoke"):
            saver.get_tuple(thread())


def test_synchronous_methods_where_no_loop_runs(redis_server: RedisServer) -> None:
    client = redis.asyncio.Redis(unix_socket_path=str(redis_server.socket_path))
    with pytest.raises(InputError, match=r"no event loop.*redis\.Redis"):
        RedisSaver(client).get_tuple(thread())


async def test_many_tasks_share_a_saver(redis_server: RedisServer) -> None:
    async with RedisSaver.from_conn_string(redis_server.url) as saver:
        graph = chat_graph(saver)

        async def talk(number: int) -> Any:
            for turn in range(4):
                live = await graph.ainvoke(said(f"{number} {turn}"), thread(f"t{number}"))
            return live

        for number, live in enumerate(await asyncio.gather(*map(talk, range(30)))):
            assert (await graph.aget_state(thread(f"t{number}"))).values == live


def test_a_cancelled_listing_stops(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    for number in range(40):
        graph.invoke(said(f"{number}"), thread())
    listing = saver.list(thread())
    first = next(iter(listing))
    listing.close()  # type: ignore[attr-defined]
    assert first.config == graph.get_state(thread()).config


@pytest.mark.parametrize("limit", [0, 1, 25, 26, 500, None])
def test_a_listing_in_pages(saver: RedisSaver, limit: int | None) -> None:
    graph = chat_graph(saver)
    for number in range(20):
        graph.invoke(said(f"{number}"), thread())
    everything = [item.checkpoint["id"] for item in saver.list(thread())]
    assert len(everything) == 60
    assert everything == sorted(everything, reverse=True)
    some = [item.checkpoint["id"] for item in saver.list(thread(), limit=limit)]
    assert some == everything[: 60 if limit is None else limit]
    loops = list(saver.list(thread(), filter={"source": "loop"}, limit=limit))
    assert len(loops) == min(40, 40 if limit is None else limit)
    before = thread(checkpoint_id=everything[10])
    after = [item.checkpoint["id"] for item in saver.list(thread(), before=before, limit=limit)]
    assert after == everything[11:][: 60 if limit is None else limit]


def test_a_saver_says_which_checkpoint_it_stored(saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    found = saver.get_tuple(thread())
    assert found is not None
    assert saver.get_tuple(found.config) == found
    assert saver.get_tuple(thread("none")) is None
    assert saver.get_tuple(thread(checkpoint_id="none")) is None
