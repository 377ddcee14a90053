"""What has a time to live goes by itself, with all its keys; what is forgotten leaves no byte."""

import asyncio

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp

from tests.memory.store.conftest import by_letters
from tests.support.key_leaks import KeyLeaks
from tests.support.redis_servers import RedisServer
from tests.support.waiting import wait_until
from treadle.core.errors import ConfigError, InputError
from treadle.memory.store import Facts, RedisStore

NAME = ("users", "alice", "prefs")
SOON = 0.001  # minutes: 60 ms
DIRECTORY = "*{store/}:groups"


def ttls(client: redis.Redis) -> list[int]:
    """Return the times to live of all keys but the directory's, in milliseconds."""
    return [client.pttl(key) for key in client.scan_iter() if not key.endswith(b":groups")]


def test_every_key_goes_with_its_items(redis_server: RedisServer, key_leaks: KeyLeaks) -> None:
    key_leaks.allow(DIRECTORY)
    with RedisStore.from_conn_string(
        redis_server.url, index=by_letters(), ttl={"default_ttl": 10}
    ) as store:
        store.put(NAME, "a", {"n": 1})
        store.put((*NAME, "deep"), "b", {"n": 1}, ttl=20)
        store.put(NAME, "c", {"n": 1}, ttl=None)
        assert len(key_leaks.found()) == 6  # c, its vector, and what lists it
        store.put(NAME, "c", {"n": 2})
        key_leaks.check()
        store.put(NAME, "c", {"n": 1}, ttl=None)
        store.delete(NAME, "c")
        key_leaks.check()


def test_what_has_expired_is_gone_everywhere(client: redis.Redis) -> None:
    store = RedisStore(client, index=by_letters())
    store.put(NAME, "short", {"n": 1}, ttl=SOON)
    store.put(NAME, "long", {"n": 2})
    store.put(("other",), "short", {"n": 3}, ttl=SOON)
    wait_until(lambda: store.get(NAME, "short", refresh_ttl=False) is None)
    wait_until(lambda: store.list_namespaces() == [NAME])
    assert [item.key for item in store.search(())] == ["long"]
    assert [item.key for item in store.search((), query="n")] == ["long"]
    assert client.zrange("treadle:main:{store/}:groups", 0, -1) == [b"users/alice/"]
    store.delete(NAME, "long")
    assert store.list_namespaces() == []
    wait_until(lambda: client.dbsize() == 0)  # Redis takes a moment to sweep


def test_a_read_starts_the_time_anew(client: redis.Redis) -> None:
    store = RedisStore(client, index=by_letters(), ttl={"default_ttl": 10})
    quiet = RedisStore(client, ttl={"default_ttl": 10, "refresh_on_read": False})
    store.put(NAME, "a", {"n": 1})

    def age() -> None:
        for key in client.scan_iter():
            client.pexpire(key, 60_000)

    age()
    quiet.get(NAME, "a")
    quiet.search(NAME)
    store.get(NAME, "a", refresh_ttl=False)
    assert max(ttls(client)) <= 60_000
    for read in (
        lambda: store.get(NAME, "a"),
        lambda: store.search(NAME),
        lambda: store.search(NAME, filter={"n": 1}),
        lambda: store.search(NAME, query="n"),
    ):
        age()
        read()
        assert min(ttls(client)) > 500_000


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([NAME, NAME[:2], (*NAME, "x"), ("docs",)]),
            st.sampled_from("ab"),
            st.sampled_from([{"n": 1}, None]),
            st.sampled_from([None, 5.0, 50.0]),
        ),
        max_size=12,
    )
)
def test_keys_live_exactly_as_long_as_items(
    client: redis.Redis, puts: list[tuple[tuple[str, ...], str, dict[str, int] | None, float]]
) -> None:
    client.flushall()
    store = RedisStore(client)
    held: dict[tuple[tuple[str, ...], str], float | None] = {}
    for namespace, key, value, ttl in puts:
        store.batch([PutOp(namespace, key, value, ttl=ttl)])
        held.pop((namespace, key), None)
        if value is not None:
            held[namespace, key] = ttl
    immortal = {namespace[:2] for (namespace, _), ttl in held.items() if ttl is None}
    mortal = {namespace[:2] for namespace, _ in held} - immortal
    for group in {NAME[:2], ("docs",)}:
        root = f"treadle:main:{{store/{'/'.join(group)}}}"
        lives = {client.pttl(f"{root}:{part}") for part in ("meta", "ns")}
        if group in immortal:
            assert lives == {-1}
        elif group in mortal:
            assert min(lives) > 0
        else:
            assert not list(client.scan_iter(f"{root}*"))


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "1", True, 1e300])
def test_a_ttl_that_is_none(store: RedisStore, ttl: float) -> None:
    with pytest.raises(InputError, match="ttl of the item 'a'"):
        store.put(NAME, "a", {}, ttl=ttl)
    assert store.get(NAME, "a") is None


def test_a_default_ttl_that_is_none(client: redis.Redis) -> None:
    with pytest.raises(ConfigError, match="default_ttl of 0"):
        RedisStore(client, ttl={"default_ttl": 0})


async def test_a_user_is_forgotten_whole(redis_server: RedisServer) -> None:
    canary = "canary-7f3a"
    async with RedisStore.from_conn_string(redis_server.url, index=by_letters("text")) as store:
        facts = Facts(store, ("users", canary, "facts"))
        await facts.remember(f"{canary} lives here", about=f"{canary} home")
        await facts.remember(f"{canary} lives there", about=f"{canary} home")
        await store.aput(("users", canary), canary, {"text": canary})
        await store.aput(("users", canary, canary), canary, {canary: canary}, ttl=5)
        await store.aput(("users", "bob"), "kept", {"text": "kept"})
        forgotten = await store.aforget(("users", canary))
        assert (forgotten.items, forgotten.vectors, forgotten.namespaces) == (4, 3, 4)
        assert (await store.aforget(("users", canary))).items == 0
        assert len(await store.asearch(())) == 1
    with redis_server.client() as client:
        for key in client.scan_iter():
            assert canary.encode() not in key
            dumped = client.dump(key)
            assert canary.encode() not in (dumped or b"")


def test_forgetting_a_part_and_many(store: RedisStore) -> None:
    names = [("users", f"u{n % 7}", f"p{n % 5}") for n in range(2_600)]
    store.batch([PutOp(name, f"{n}", {"n": n}) for n, name in enumerate(names)])
    store.batch([PutOp(("users", "u0", "p0"), f"more {n}", {}) for n in range(4_100)])
    part = store.forget(("users", "u0", "p0"))
    assert part.items == 4_100 + sum(name == ("users", "u0", "p0") for name in names)
    assert part.namespaces == 1
    assert ("users", "u0", "p0") not in store.list_namespaces()
    assert len(store.list_namespaces()) == 34
    rest = store.forget(("users",))
    assert rest.namespaces == 34
    assert part.items + rest.items == 2_600 + 4_100
    assert store.list_namespaces() == []
    with pytest.raises(InputError, match="whole store"):
        store.forget(())


async def test_writing_while_the_group_is_forgotten(redis_server: RedisServer) -> None:
    async with RedisStore.from_conn_string(redis_server.url) as store:

        async def write(n: int) -> None:
            await store.aput(("users", "alice"), f"{n}", {})

        async def forget(_: int) -> None:
            await store.aforget(("users", "alice"))

        work = [part(n) for n in range(100) for part in (write, forget)]
        await asyncio.gather(*work)
        held = await store.asearch(("users", "alice"), limit=1_000)
        assert len(await store.asearch(("users",), limit=1_000)) == len(held)
        await store.aforget(("users",))
        assert await store.asearch(("users", "alice")) == []
