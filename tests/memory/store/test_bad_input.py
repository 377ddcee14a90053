"""Wrong names, values and servers: a message that says what to do, and a store that still reads."""

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from tests.memory.store.conftest import by_letters, letters
from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from tests.support.waiting import wait_until
from treadle.core.errors import ConfigError, InputError, RedisError
from treadle.memory.store import RedisStore, thread_namespace, user_namespace

NAME = ("users", "alice")
ODD = ["{}", "}{a}", "a\nb", "a b/c=d!e", "%7B", "ü🦜", "*?[x]\\", "a" * 512, "/", "- -", "::"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_are_names_like_any_other(store: RedisStore, odd: str) -> None:
    for namespace in [(odd,), (odd, odd), (odd, odd, odd), ("plain", odd, "plain")]:
        store.put(namespace, odd, {odd: odd})
        item = store.get(namespace, odd)
        assert item is not None
        assert (item.namespace, item.key, item.value) == (namespace, odd, {odd: odd})
        assert item in [*store.search(namespace)]
        assert namespace in store.list_namespaces(prefix=namespace)
    assert len(store.search((odd,))) == 3
    assert store.forget((odd,)).items == 3
    assert store.list_namespaces() == [("plain", odd, "plain")]


def test_ids_with_dots_have_a_namespace(store: RedisStore) -> None:
    one, other = user_namespace("a@b.c", "facts"), user_namespace("a@b%2Ec", "facts")
    assert one != other
    store.put(one, "k", {"n": 1})
    assert store.get(other, "k") is None
    assert store.forget(user_namespace("a@b.c")).items == 1
    longest = thread_namespace("." * 512, "facts")
    store.put(longest, "k", {})
    assert store.list_namespaces() == [longest]
    assert user_namespace("\x00") == ("users", "%00")
    with pytest.raises(InputError, match="user_id is empty"):
        user_namespace("")


@pytest.mark.parametrize("namespace", [(), ("a.b",), ("",), ("a", ""), (1,), ("a\x00",)])
def test_namespaces_against_the_rules(store: RedisStore, namespace: Any) -> None:
    for op in (PutOp(namespace, "k", {}), GetOp(namespace, "k")):
        with pytest.raises(InvalidNamespaceError):
            store.batch([op])
    if namespace:
        with pytest.raises(InvalidNamespaceError):
            store.batch([SearchOp(namespace)])
        with pytest.raises(InvalidNamespaceError):
            store.batch([ListNamespacesOp((MatchCondition("prefix", namespace),))])


@pytest.mark.parametrize(
    ("namespace", "key", "message"),
    [
        (NAME, "", r"key of an item in 'users\.alice' is empty"),
        (NAME, "k" * 513, "513 characters long.*at most 512"),
        (NAME, "\ud800", "not valid Unicode"),
        (("a" * 2001,), "k", "2001 characters"),
        (("\ud800",), "k", "not valid Unicode"),
        (("a",) * 33, "k", "33 labels"),
    ],
)
def test_names_that_cannot_be_used(
    store: RedisStore, namespace: tuple[str, ...], key: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        store.put(namespace, key, {})
    with pytest.raises(InputError, match=message):
        store.get(namespace, key)


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int


ITSELF: dict[str, Any] = {}
ITSELF["itself"] = ITSELF


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1: "a"},
        {"a": {1}},
        1 << 64,
        "\ud800",
        datetime(2026, 1, 1, tzinfo=UTC),
        uuid.UUID(int=1),
        Colour.RED,
        Point(1),
        print,
        ITSELF,
    ],
)
def test_a_value_that_cannot_be_stored(store: RedisStore, value: Any) -> None:
    store.put(NAME, "k", {"good": 1})
    with pytest.raises(InputError, match=r"'k' in 'users\.alice'.*cannot be stored.*Keep only"):
        store.batch([PutOp(("other",), "k2", {}), PutOp(NAME, "k", {"v": value})])
    item = store.get(NAME, "k")
    assert item is not None
    assert item.value == {"good": 1}
    assert store.list_namespaces() == [NAME]


def test_a_value_that_is_no_mapping(store: RedisStore) -> None:
    value: Any = [1]
    with pytest.raises(InputError, match="is a list, not a mapping"):
        store.put(NAME, "k", value)


def test_operations_that_cannot_be_done(store: RedisStore) -> None:
    store.put(NAME, "k", {"n": "x"})
    nothing: Any = "nonsense"
    with pytest.raises(InputError, match="does not know the operation"):
        store.batch([nothing])
    with pytest.raises(InputError, match=r"operator '\$in'.*\$lte"):
        store.search(NAME, filter={"n": {"$in": []}})
    for name in ("limit", "offset"):
        with pytest.raises(InputError, match=f"{name} of a search is -1"):
            store.search(NAME, **{name: -1})  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"{name} of a listing is -1"):
            store.list_namespaces(**{name: -1})  # type: ignore[arg-type]
    assert store.search(NAME, limit=0) == []
    match: Any = MatchCondition("infix", ("a",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'infix'.*'prefix' or 'suffix'"):
        store.batch([ListNamespacesOp((match,))])


def test_comparisons_of_different_kinds_match_nothing(store: RedisStore) -> None:
    for n, value in enumerate([1, 2.5, "2026-01-02", None, True, [1], {}]):
        store.put(NAME, f"{n}", {"v": value})
    store.put(NAME, "missing", {})

    def found(condition: Any) -> set[str]:
        return {item.key for item in store.search(NAME, filter={"v": condition})}

    assert found({"$gt": 1}) == {"1"}
    assert found({"$gte": 1, "$lt": 2.5}) == {"0"}
    assert found({"$lte": "2026-02"}) == {"2"}
    assert found({"$gt": None}) == set()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"dims": 0, "embed": letters}, "dims are 0"),
        ({"embed": letters}, "dims are None"),
        ({"dims": 26}, "no 'embed'"),
    ],
)
def test_an_index_that_cannot_be_used(client: redis.Redis, index: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RedisStore(client, index=index)


def test_embeddings_that_do_not_fit(client: redis.Redis) -> None:
    store = RedisStore(client, index={"dims": 3, "embed": letters})
    with pytest.raises(ConfigError, match=r"shape \(26,\).*dims are 3"):
        store.put(NAME, "k", {"text": "a"})
    none = RedisStore(client, index={"dims": 3, "embed": lambda texts: []})
    with pytest.raises(ConfigError, match="0 vectors for 1 texts"):
        none.put(NAME, "k", {"text": "a"})
    index: Any = "text"
    with pytest.raises(InputError, match="index of the item 'k' is 'text'"):
        RedisStore(client, index=by_letters()).put(NAME, "k", {"text": "a"}, index)
    assert store.list_namespaces() == []


def server(folder: Path, **settings: Any) -> Any:
    return running_server(packaged_binary(), folder, **settings)


def test_redis_is_out_of_memory(short_tmp_path: Path) -> None:
    with (
        server(short_tmp_path, maxmemory="8mb", maxmemory_policy="noeviction") as running,
        running.client() as client,
    ):
        store = RedisStore(client)

        def fill() -> None:
            for number in range(100):
                store.put(NAME, f"{number}", {"text": "x" * 200_000}, ttl=60)

        with pytest.raises(RedisError, match=r"out of memory.*Raise maxmemory"):
            fill()
        held = len(store.search(NAME, limit=100))
        assert store.get(NAME, f"{held - 1}") is not None
        assert store.get(NAME, f"{held}") is None
        store.delete(NAME, "0")
        assert store.forget(NAME).items == held - 1
        store.put(NAME, "k", {})


def test_a_read_only_replica(short_tmp_path: Path) -> None:
    with (
        server(short_tmp_path / "p", tcp=True) as primary,
        server(short_tmp_path / "r") as replica,
        primary.client() as writing,
        replica.client() as reading,
    ):
        RedisStore(writing).put(NAME, "k", {"n": 1}, ttl=60)
        reading.replicaof("127.0.0.1", primary.port)
        wait_until(lambda: reading.info("replication")["master_link_status"] == "up")
        store = RedisStore(reading)
        with pytest.raises(RedisError, match=r"read-only replica.*Connect to the primary"):
            store.put(NAME, "k", {"n": 2})
        item = store.get(NAME, "k")
        assert item is not None
        assert item.value == {"n": 1}
        assert len(store.search(())) == 1


def test_a_wrong_password(short_tmp_path: Path) -> None:
    with server(short_tmp_path, requirepass="right") as running:
        path = str(running.socket_path)
        with (
            redis.Redis(unix_socket_path=path, password="wrong", retry=None) as client,
            pytest.raises(RedisError, match=r"password.*Redis URL"),
        ):
            RedisStore(client).get(NAME, "k")


def test_a_user_with_the_rights_that_the_hint_names(redis_server: RedisServer) -> None:
    with redis_server.client() as admin:
        admin.execute_command(
            *("ACL", "SETUSER", "app", "on", ">secret", "~treadle:main:*", "-@all"),
            *("+@hash", "+@list", "+@sortedset", "+@scripting", "+@connection", "+unlink"),
            *("+@string", "+del", "+exists", "+pexpire", "+pexpireat", "+persist", "+pttl"),
            *("+rename", "+time"),
        )
        path = str(redis_server.socket_path)
        with redis.Redis(unix_socket_path=path, username="app", password="secret") as client:
            store = RedisStore(client)
            store.put(NAME, "k", {"n": 1}, ttl=60)
            assert len(store.search(())) == len(store.list_namespaces()) == 1
            assert store.forget(("users",)).items == 1
            with pytest.raises(RedisError, match=r"may not run.*ACL SETUSER"):
                RedisStore(client, prefix="other:").get(NAME, "k")
        admin.execute_command("ACL", "DELUSER", "app")


def test_a_flushed_script_cache(store: RedisStore, client: redis.Redis) -> None:
    puts = [PutOp(("users", f"{n}"), "k", {"n": n}) for n in range(20)]
    store.batch(puts)
    client.script_flush()
    store.batch(puts)
    client.script_flush()
    found = store.batch([GetOp(("users", f"{n}"), "k") for n in range(20)])
    assert [item.value["n"] for item in found] == list(range(20))  # type: ignore[union-attr]


def test_a_prefix_that_would_break_the_keys(client: redis.Redis) -> None:
    with pytest.raises(ConfigError, match=r"prefix 'a\{b'"):
        RedisStore(client, prefix="a{b")
