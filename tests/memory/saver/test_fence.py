"""A worker that lost its thread writes nothing more to it."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import redis
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

from tests.memory.saver.graphs import Chat, answer, chat_graph, said, texts, thread
from tests.support.redis_servers import RedisServer
from treadle.core.errors import FencedError, InputError
from treadle.memory import connect, connect_sync
from treadle.memory.saver import RedisSaver, fence_key, fenced

PREFIX = "treadle:main:"
KEY = fence_key(PREFIX, "t")


def content(client: redis.Redis) -> dict[bytes, Any]:
    """Return all that Redis holds, whatever order it keeps it in."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"string": client.get,
    }
    return {key: read[client.type(key)](key) for key in client.scan_iter()}


def test_a_worker_that_comes_back_too_late_changes_nothing(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        one, two = (chat_graph(RedisSaver(client)) for _ in range(2))
        client.set(KEY, "run/1", ex=3_600)
        one.invoke(said("from the first"), fenced(thread(), "run/1"))
        client.set(KEY, "run/2", ex=3_600)
        live = two.invoke(said("from the second"), fenced(thread(), "run/2"))
        before = content(client)
        with pytest.raises(FencedError, match=r"'t'.*'run/1' is over, 'run/2' has taken"):
            one.invoke(said("too late"), fenced(thread(), "run/1"))
        assert content(client) == before
        assert texts(live["messages"])[::2] == ["from the first", "from the second"]
        assert two.get_state(thread()).values == live


async def test_both_kinds_of_writes_by_both_faces(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        saver = RedisSaver(client)
        chat_graph(saver).invoke(said("hello"), fenced(thread(), "run/1"))
        await refused_everywhere(saver, client)
    async with connect(redis_server.url) as client:
        await refused_everywhere(RedisSaver(client), client, sync=False)


async def refused_everywhere(saver: RedisSaver, client: Any, *, sync: bool = True) -> None:
    found = await saver.aget_tuple(thread())
    assert found is not None
    late: RunnableConfig = fenced(found.config, "run/1")
    waiting = client.set(KEY, "run/2", ex=3_600)
    if not sync:
        await waiting
    for config, is_refused in ((late, True), (fenced(late, "run/2"), False), (thread(), False)):
        place = {**found.config["configurable"], **config["configurable"]}
        put = ({"configurable": place}, found.checkpoint, found.metadata, {})
        write = ({"configurable": place}, [("messages", [])], "task")
        with refusal(is_refused):
            await saver.aput(*put)  # type: ignore[arg-type]
        with refusal(is_refused):
            await saver.aput_writes(*write)  # type: ignore[arg-type]
        if sync:
            with refusal(is_refused):
                saver.put(*put)  # type: ignore[arg-type]
            with refusal(is_refused):
                saver.put_writes(*write)  # type: ignore[arg-type]


def refusal(expected: bool) -> Any:
    return pytest.raises(FencedError) if expected else nullcontext()


async def test_on_a_cluster(cluster_url: str) -> None:
    with connect_sync(cluster_url) as client:
        saver = RedisSaver(client)
        graph = chat_graph(saver)
        for number in range(20):
            name = f"t{number}"
            client.set(fence_key(PREFIX, name), "two", ex=3_600)
            graph.invoke(said("hello"), fenced(thread(name), "two"))
            with pytest.raises(FencedError):
                await graph.ainvoke(said("late"), fenced(thread(name), "one"))
            state = graph.get_state(thread(name))
            assert texts(state.values["messages"]) == ["hello", "answer 1"]


def test_a_subgraph_inherits_the_fence(client: redis.Redis, saver: RedisSaver) -> None:
    def overtaken(state: Chat) -> dict[str, Any]:
        client.set(KEY, "two", ex=3_600)
        return answer(state)

    builder = StateGraph(Chat)
    builder.add_node("inner", chat_graph(None, overtaken))
    builder.add_edge(START, "inner")
    with pytest.raises(FencedError):
        builder.compile(checkpointer=saver).invoke(said("hello"), fenced(thread(), "one"))


def test_updating_the_state_by_hand_is_fenced_too(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    client.set(KEY, "two", ex=3_600)
    with pytest.raises(FencedError):
        graph.update_state(fenced(thread(), "one"), said("late"))


def test_the_token_is_not_stored_with_the_thread(client: redis.Redis, saver: RedisSaver) -> None:
    client.set(KEY, "token-in-plain-sight", ex=3_600)
    chat_graph(saver).invoke(said("hello"), fenced(thread(), "token-in-plain-sight"))
    stored = content(client)
    del stored[KEY.encode()]
    assert "token-in-plain-sight" not in repr(stored)


def test_the_fence_costs_no_round_trip_and_the_saver_leaves_it_alone(
    client: redis.Redis, saver: RedisSaver
) -> None:
    client.set(KEY, "one", px=90_000)
    graph, calls = chat_graph(saver), []
    for config in (thread(), thread(), fenced(thread(), "one")):
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"] if calls else 0
        graph.invoke(said("hello"), config)
        calls.append(client.info("commandstats")["cmdstat_evalsha"]["calls"] - before)
    assert calls[1] == calls[2]
    saver.delete_thread("t")
    assert client.get(KEY) == b"one"
    assert 0 < client.pttl(KEY) <= 90_000


@pytest.mark.parametrize("token", ["", "x" * 513, "\ud800", None])
def test_a_token_that_cannot_be_used(token: Any) -> None:
    with pytest.raises(InputError, match="fence token"):
        fenced(thread(), token)
