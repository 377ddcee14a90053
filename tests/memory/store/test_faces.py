"""One class, synchronous and asynchronous, over any client, on one server or a cluster."""

import asyncio
from pathlib import Path
from typing import Any, TypedDict

import pytest
import redis
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp

from tests.memory.store.conftest import by_letters
from tests.support.redis_servers import RedisServer
from treadle.core.errors import InputError
from treadle.memory import connect, connect_sync
from treadle.memory.store import Facts, RedisStore

NAME = ("users", "alice", "prefs")


def use(store: RedisStore) -> None:
    store.put(NAME, "a", {"text": "aaa"})
    store.put(("docs",), "b", {"text": "bbb"})
    item = store.get(NAME, "a")
    assert item is not None
    assert item.value == {"text": "aaa"}
    assert item.created_at == item.updated_at
    store.put(NAME, "a", {"text": "ab"})
    again = store.get(NAME, "a")
    assert again is not None
    assert again.created_at == item.created_at
    assert again.updated_at > item.updated_at
    assert [found.key for found in store.search((), query="bb")] == ["b", "a"]
    assert store.list_namespaces() == [("docs",), NAME]
    store.delete(NAME, "a")
    assert store.get(NAME, "a") is None
    assert store.list_namespaces() == [("docs",)]
    assert store.forget(("docs",)).items == 1
    assert store.list_namespaces() == []


async def ause(store: RedisStore) -> None:
    await store.aput(NAME, "a", {"text": "aaa"})
    await store.aput(("docs",), "b", {"text": "bbb"})
    item = await store.aget(NAME, "a")
    assert item is not None
    assert item.value == {"text": "aaa"}
    assert [found.key for found in await store.asearch((), query="bb")] == ["b", "a"]
    assert await store.alist_namespaces(prefix=("users", "*")) == [NAME]
    await store.adelete(NAME, "a")
    assert await store.aget(NAME, "a") is None
    assert (await store.aforget(("docs",))).vectors == 1


def test_with(redis_server: RedisServer) -> None:
    with RedisStore.from_conn_string(redis_server.url, index=by_letters("text")) as store:
        use(store)
    with pytest.raises(InputError, match="RedisStore is not connected"):
        store.get(NAME, "a")


async def test_async_with(redis_server: RedisServer) -> None:
    async with RedisStore.from_conn_string(redis_server.url, index=by_letters("text")) as store:
        await ause(store)


def test_the_embedded_server(short_tmp_path: Path) -> None:
    url = f"embedded://{short_tmp_path}/data"
    with RedisStore.from_conn_string(url, index=by_letters("text")) as store:
        use(store)


async def test_the_other_face_of_a_client(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        await ause(RedisStore(client, index=by_letters("text")))
    async with connect(redis_server.url) as asyncio_client:
        store = RedisStore(asyncio_client, index=by_letters("text"))
        await asyncio.to_thread(use, store)
        with pytest.raises(InputError, match="RedisStore was called on the event loop"):
            store.get(NAME, "a")


def test_a_client_that_decodes(redis_server: RedisServer) -> None:
    path = str(redis_server.socket_path)
    with redis.Redis(unix_socket_path=path, decode_responses=True) as client:
        use(RedisStore(client, index=by_letters("text")))


def test_something_else_is_no_client() -> None:
    client: Any = "redis://localhost"
    with pytest.raises(InputError, match=r"RedisStore got a builtins\.str"):
        RedisStore(client)


async def test_a_cluster(cluster_url: str) -> None:
    with connect_sync(cluster_url) as client:
        use(RedisStore(client, index=by_letters("text")))
    async with connect(cluster_url) as asyncio_client:
        store = RedisStore(asyncio_client, index=by_letters("text"))
        await ause(store)
        puts = [PutOp(("users", f"u{n}"), "k", {"n": n}) for n in range(60)]
        await store.abatch(puts)
        found = await store.abatch([GetOp(("users", f"u{n}"), "k") for n in range(60)])
        assert [item.value["n"] for item in found] == list(range(60))  # type: ignore[union-attr]
        assert len(await store.asearch(("users",), limit=100)) == 60
        assert (await store.aforget(("users",))).items == 60
        facts = Facts(store, ("users", "alice", "facts"))
        for city in ("Lyon", "Oslo"):
            await facts.remember(f"She lives in {city}.", about="home")
        assert [fact.text for fact in await facts.current("home")] == ["She lives in Oslo."]
        assert len(await facts.history("home")) == 2


def test_a_batch_reads_before_it_writes(store: RedisStore) -> None:
    ops = [PutOp(NAME, "a", {"n": 1}), GetOp(NAME, "a"), SearchOp(NAME), PutOp(NAME, "a", {"n": 2})]
    assert store.batch(ops) == [None, None, [], None]
    item = store.get(NAME, "a")
    assert item is not None
    assert item.value == {"n": 2}
    assert store.batch([]) == []


def test_what_is_read_is_the_callers_own(store: RedisStore) -> None:
    value = {"list": [1]}
    store.put(NAME, "a", value)
    value["list"].append(2)
    first = store.get(NAME, "a")
    assert first is not None
    assert first.value == {"list": [1]}


def test_in_a_graph(redis_server: RedisServer) -> None:
    class State(TypedDict):
        n: int

    def node(state: State, *, store: BaseStore) -> State:
        store.put(NAME, "n", {"n": state["n"]})
        assert get_store() is store
        return {"n": len(store.search(("users", "alice")))}

    with RedisStore.from_conn_string(redis_server.url) as store:
        builder = StateGraph(State)
        builder.add_node("node", node)
        builder.add_edge(START, "node")
        assert builder.compile(store=store).invoke({"n": 7}) == {"n": 1}


def test_pages_of_a_search(store: RedisStore) -> None:
    names = [("users", "alice", f"part {n % 3}") for n in range(1_200)]
    store.batch([PutOp(name, f"{n}", {"n": n, "even": not n % 2}) for n, name in enumerate(names)])
    newest = list(range(1_199, -1, -1))

    def numbers(**options: Any) -> list[int]:
        return [item.value["n"] for item in store.search(("users", "alice"), **options)]

    assert numbers() == newest[:10]
    assert numbers(limit=3, offset=1_198) == newest[1_198:]
    assert numbers(limit=5_000) == newest
    assert numbers(limit=700, offset=300) == newest[300:1_000]
    evens = [n for n in newest if not n % 2]
    assert numbers(filter={"even": True}, limit=400, offset=100) == evens[100:500]
    assert numbers(filter={"n": {"$lt": 3}}) == [2, 1, 0]
    found = store.search(("users",), limit=1_000, offset=1_000)
    assert [item.value["n"] for item in found] == newest[1_000:]


def test_two_stores_with_different_prefixes_never_meet(client: redis.Redis) -> None:
    one, other = RedisStore(client, prefix="treadle:one:"), RedisStore(client, prefix="treadle:2:")
    one.put(NAME, "a", {"n": 1})
    assert other.get(NAME, "a") is None
    assert other.search(()) == other.list_namespaces() == []
    assert other.forget(("users",)).items == 0
    assert one.get(NAME, "a") is not None


def test_writing_together_unless_something_changed(store: RedisStore) -> None:
    puts = [PutOp(NAME, "a", {"n": 1}), PutOp(("users", "alice"), "b", {"n": 2})]
    assert store.put_unless_changed(puts, NAME, "a", None)
    assert not store.put_unless_changed([PutOp(NAME, "a", {"n": 9})], NAME, "a", None)
    item = store.get(NAME, "a")
    assert item is not None
    removal = [PutOp(("users", "alice"), "b", None), PutOp(NAME, "a", {"n": 3})]
    assert store.put_unless_changed(removal, NAME, "a", item.updated_at)
    assert not store.put_unless_changed(removal, NAME, "a", item.updated_at)
    assert [found.value for found in store.search(("users", "alice"))] == [{"n": 3}]
    with pytest.raises(InputError, match="not in one group"):
        store.put_unless_changed([PutOp(("users", "bob"), "b", {})], NAME, "a", None)
