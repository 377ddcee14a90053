"""Wrong ids, values and servers: a message that says what to do, and a thread that still reads."""

import socket
import threading
from pathlib import Path
from typing import Any, TypedDict

import pytest
import redis
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph

from tests.memory.saver.graphs import Chat, chat_graph, said, thread
from tests.support.fake_redis import bulk, fake_redis
from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from tests.support.waiting import wait_until
from treadle.core.errors import ConfigError, InputError, RedisError
from treadle.memory.saver import RedisSaver

ODD_IDS = [
    "{}",
    "}{",
    "{a}b{c}",
    "a\nb\r\n",
    "a b/c=d!e",
    "%7B",
    "ü🦜",
    "\x00",
    "*?[x]\\",
    "a" * 512,
    "- -",
]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_odd_ids_are_ids_like_any_other(client: redis.Redis, saver: RedisSaver, odd: str) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("plain"), thread("plain"))
    live = graph.invoke(said("odd"), thread(odd))
    config: Any = {"configurable": {"thread_id": odd, "checkpoint_ns": odd, "checkpoint_id": odd}}
    version = saver.get_next_version(None, None)
    checkpoint: Any = {
        **empty_checkpoint(),
        "id": odd + "2" if len(odd) < 500 else odd,
        "channel_values": {odd: [odd]},
        "channel_versions": {odd: version},
    }
    stored = saver.put(config, checkpoint, {"run_id": f"run {odd}"}, {odd: version})
    saver.put_writes(stored, [(odd, odd)], task_id=odd, task_path=odd)
    fresh = RedisSaver(client)
    assert chat_graph(fresh).get_state(thread(odd)).values == live
    found = fresh.get_tuple(stored)
    assert found is not None
    assert found.checkpoint["channel_values"] == {odd: [odd]}
    assert found.parent_config == config
    assert found.pending_writes == [(odd, odd, odd)]
    assert [t.config for t in fresh.list(stored)] == [stored]
    assert {t.config["configurable"]["thread_id"] for t in fresh.list(None)} == {"plain", odd}
    # LangGraph drops NUL from metadata.
    fresh.delete_for_runs([f"run {odd}".replace("\x00", "")])
    assert fresh.get_tuple(stored) is None
    fresh.delete_thread(odd)
    assert all(b"plain" in key for key in client.scan_iter())
    assert chat_graph(fresh).get_state(thread("plain")).values["messages"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "names no thread"),
        ({"thread_id": ""}, "thread_id is empty"),
        ({"thread_id": "a" * 513}, "513 characters long.*at most 512"),
        ({"thread_id": "\ud800"}, "not valid Unicode"),
        ({"thread_id": None}, "is a NoneType, not text"),
        ({"thread_id": ["t"]}, "is a list, not text"),
        ({"thread_id": "t", "checkpoint_ns": 5}, "checkpoint_ns is a int"),
        ({"thread_id": "t", "checkpoint_id": "a" * 600}, "checkpoint_id is 600 characters"),
    ],
)
def test_ids_that_cannot_be_used(saver: RedisSaver, config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        saver.get_tuple({"configurable": config})


def test_numbers_are_ids(saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), {"configurable": {"thread_id": 7}})
    assert graph.get_state(thread("7")).values["messages"]


def test_writes_without_a_checkpoint(saver: RedisSaver) -> None:
    with pytest.raises(InputError, match="no checkpoint_id"):
        saver.put_writes(thread(), [("a", 1)], "task")


def test_a_subgraph_with_dots_in_its_name(saver: RedisSaver) -> None:
    builder = StateGraph(Chat)
    builder.add_node("a.b.c", chat_graph(None))
    builder.add_edge(START, "a.b.c")
    graph = builder.compile(checkpointer=saver)
    live = graph.invoke(said("hello"), thread())
    found = [item.config["configurable"]["checkpoint_ns"] for item in saver.list(thread())]
    namespaces = {name.partition(":")[0] for name in found}
    assert namespaces == {"", "a.b.c"}
    assert graph.get_state(thread()).values == live


class Holding(TypedDict):
    held: Any


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (socket.socket, "type"),
        (threading.Lock(), "lock"),
        ({"deep": [object()]}, "object"),
        (2**70, "Integer|int"),
        ([lambda: None], "function"),
    ],
)
def test_a_value_that_cannot_be_stored(saver: RedisSaver, value: Any, kind: str) -> None:
    chat_graph(saver, lambda _: {"held": "good"}, Holding).invoke({"held": 1}, thread())
    graph = chat_graph(saver, lambda _: {"held": value}, Holding)
    with pytest.raises(InputError, match=rf"'held'.*({kind})(?s:.*)Keep only data"):
        graph.invoke({"held": 2}, thread())
    assert graph.get_state(thread()).values["held"] in ("good", 2)
    chat_graph(saver, lambda _: {"held": "again"}, Holding).invoke({"held": 3}, thread())
    assert graph.get_state(thread()).values == {"held": "again"}


def test_redis_is_out_of_memory(short_tmp_path: Path) -> None:
    with (
        server(short_tmp_path, maxmemory="8mb", maxmemory_policy="noeviction") as running,
        running.client() as client,
    ):
        graph = chat_graph(RedisSaver(client))
        answered: list[Any] = []

        def fill() -> None:
            answered.extend(graph.invoke(said("x" * 200_000), thread()) for _ in range(100))

        with pytest.raises(RedisError, match=r"out of memory.*Raise maxmemory"):
            fill()
        last = answered[-1]["messages"]
        assert graph.get_state(thread()).values["messages"][: len(last)] == last
        client.config_set("maxmemory", "0")
        assert graph.invoke(said("more"), thread())["messages"][: len(last)] == last


def test_a_read_only_replica(short_tmp_path: Path) -> None:
    with (
        server(short_tmp_path / "p", tcp=True) as primary,
        server(short_tmp_path / "r") as replica,
        primary.client() as writing,
        replica.client() as reading,
    ):
        live = chat_graph(RedisSaver(writing)).invoke(said("hello"), thread())
        reading.replicaof("127.0.0.1", primary.port)
        wait_until(lambda: reading.info("replication")["master_link_status"] == "up")
        graph = chat_graph(RedisSaver(reading))
        assert graph.get_state(thread()).values == live
        with pytest.raises(RedisError, match=r"read-only replica.*Connect to the primary"):
            graph.invoke(said("more"), thread())
        assert graph.get_state(thread()).values == live


def test_a_wrong_password(short_tmp_path: Path) -> None:
    with server(short_tmp_path, requirepass="right") as running:
        path = str(running.socket_path)
        for password in ("wrong", None):
            with (
                redis.Redis(unix_socket_path=path, password=password, retry=None) as client,
                pytest.raises(RedisError, match=r"password.*Redis URL"),
            ):
                RedisSaver(client).get_tuple(thread())


def test_a_server_that_is_not_there(short_tmp_path: Path) -> None:
    path = str(short_tmp_path / "none")
    with (
        redis.Redis(unix_socket_path=path, retry=None) as client,
        pytest.raises(RedisError, match="cannot be reached"),
    ):
        RedisSaver(client).get_tuple(thread())


def test_a_user_without_dangerous_commands(redis_server: RedisServer) -> None:
    with redis_server.client() as admin:
        admin.execute_command(
            *("ACL", "SETUSER", "app", "on", ">secret", "~treadle:main:*", "+@all"),
            *("-@dangerous", "-@admin", "-keys", "-config", "-module"),
        )
        path = str(redis_server.socket_path)
        with redis.Redis(unix_socket_path=path, username="app", password="secret") as client:
            saver = RedisSaver(client)
            graph = chat_graph(saver)
            live = graph.invoke(said("hello"), thread())
            saver.copy_thread("t", "t2")
            saver.prune(["t2"])
            saver.delete_for_runs(["none"])
            assert graph.get_state(thread("t2")).values == live
            assert len({t.config["configurable"]["thread_id"] for t in saver.list(None)}) == 2
            with pytest.raises(RedisError, match=r"may not run.*ACL SETUSER"):
                RedisSaver(client, prefix="other:").get_tuple(thread())
        admin.execute_command("ACL", "DELUSER", "app")


@pytest.mark.any_keys("one of them is not the saver's")
def test_a_key_of_another_kind(client: redis.Redis, saver: RedisSaver) -> None:
    client.set("treadle:main:{t}:cp", "mine")
    with pytest.raises(RedisError, match=r"another kind.*own prefix"):
        chat_graph(saver).invoke(said("hello"), thread())
    assert client.get("treadle:main:{t}:cp") == b"mine"


@pytest.mark.parametrize("prefix", ["a{b", "a}", "a b", "a\n", "\x00"])
def test_a_prefix_that_would_break_the_keys(client: redis.Redis, prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix"):
        RedisSaver(client, prefix=prefix)


def test_something_that_is_not_a_client() -> None:
    with pytest.raises(InputError, match=r"builtins\.str.*redis\.Redis"):
        RedisSaver("redis://localhost")  # type: ignore[arg-type]


def test_a_strategy_that_does_not_exist(saver: RedisSaver) -> None:
    with pytest.raises(InputError, match=r"'keep_all'.*keep_latest"):
        saver.prune(["t"], strategy="keep_all")


def test_a_copy_onto_a_thread_that_exists(saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    live = graph.invoke(said("one"), thread("one"))
    graph.invoke(said("two"), thread("two"))
    for source in ("two", "one"):
        with pytest.raises(InputError, match="'one' exists already"):
            saver.copy_thread(source, "one")
    assert graph.get_state(thread("one")).values == live


def test_a_server_that_is_too_old() -> None:
    answers = {"INFO": bulk("# Server\r\nredis_version:5.0.7\r\n"), "CLIENT": "+OK\r\n"}
    with (
        fake_redis(answers) as url,
        redis.Redis.from_url(url, protocol=2, retry=None) as client,
        pytest.raises(RedisError, match=r"version 5\.0\.7.*6\.2 or later.*Upgrade"),
    ):
        RedisSaver(client).get_tuple(thread())


def server(folder: Path, **settings: Any) -> Any:
    return running_server(packaged_binary(), folder, **settings)
