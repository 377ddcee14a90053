"""Two writers at once, a server that dies: one consistent head, and nothing lost."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from langchain_core.messages import HumanMessage, RemoveMessage
from langgraph.checkpoint.base import empty_checkpoint

from tests.memory.saver.graphs import chat_graph, said, texts, thread
from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from tests.support.waiting import wait_until
from treadle.memory.saver import RedisSaver
from treadle.memory.saver import _operations as operations

WRITER = """
import json, sys
import redis
from tests.memory.saver.graphs import chat_graph, said, texts, thread
from treadle.memory.saver import RedisSaver

path, name = sys.argv[1:]
with redis.Redis(unix_socket_path=path) as client:
    graph = chat_graph(RedisSaver(client))
    for number in range(25):
        graph.invoke(said(f"{name} {number}"), thread())
        for snapshot in graph.get_state_history(thread(), limit=2):
            told = snapshot.config["configurable"]["checkpoint_id"]
            print(json.dumps([told, texts(snapshot.values.get("messages", []))]), flush=True)
"""


def test_two_processes_write_to_one_thread(redis_6_2: RedisServer, client: redis.Redis) -> None:
    path = str(redis_6_2.socket_path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, name], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    seen = [json.loads(line) for w in writers for line in w.communicate()[0].splitlines()]
    assert [writer.returncode for writer in writers] == [0, 0]
    speakers = {text.partition(" ")[0] for _, messages in seen for text in messages}
    assert speakers == {"one", "two", "answer"}

    graph = chat_graph(RedisSaver(client))
    for checkpoint_id, messages in seen:
        found = graph.get_state(thread(checkpoint_id=checkpoint_id))
        assert texts(found.values["messages"]) == messages
    everything = list(graph.get_state_history(thread()))
    ids = [state.config["configurable"]["checkpoint_id"] for state in everything]
    assert ids == sorted(ids, reverse=True)
    assert graph.get_state(thread()).config["configurable"]["checkpoint_id"] == ids[0]


def test_threads_share_a_saver(saver: RedisSaver) -> None:
    graph = chat_graph(saver)

    def talk(number: int) -> None:
        for turn in range(8):
            graph.invoke(said(f"{number} {turn}"), thread(f"t{number % 3}"))

    talking = [threading.Thread(target=talk, args=(number,)) for number in range(9)]
    for worker in talking:
        worker.start()
    for worker in talking:
        worker.join()
    for number in range(3):
        for state in graph.get_state_history(thread(f"t{number}")):
            asked = [m for m in state.values.get("messages", []) if m.type == "human"]
            assert all(int(text.partition(" ")[0]) % 3 == number for text in texts(asked))


def test_the_script_cache_is_flushed(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    for number in range(6):
        client.script_flush()
        live = graph.invoke(said(f"{number}"), thread())
        client.script_flush()
        assert graph.get_state(thread()).values == live


def test_a_thread_that_another_client_deleted_and_began_anew(
    client: redis.Redis, saver: RedisSaver
) -> None:
    graph, other = chat_graph(saver), chat_graph(RedisSaver(client))
    for number in range(4):
        graph.invoke(said(f"old {number}"), thread())
    other.checkpointer.delete_thread("t")
    other.invoke(said("new"), thread())
    live = graph.invoke(said("newer"), thread())
    assert texts(live["messages"])[::2] == ["new", "newer"]
    assert chat_graph(RedisSaver(client)).get_state(thread()).values == live


def test_a_thread_that_another_client_pruned_under_a_fork(
    client: redis.Redis, saver: RedisSaver
) -> None:
    """What a client still holds in memory is stored again if it is gone from the log."""
    graph = chat_graph(saver)
    for number in range(3):
        live = graph.invoke(said(f"{number}"), thread())
    found = saver.get_tuple(thread())
    assert found is not None
    state = chat_graph(RedisSaver(client))
    state.invoke({"messages": [("human", "more")]}, thread())
    everything = [m.id for m in state.get_state(thread()).values["messages"]]
    state.invoke({"messages": [RemoveMessage(name) for name in everything[:-1]]}, thread())
    RedisSaver(client).prune(["t"])
    version = saver.get_next_version(found.checkpoint["channel_versions"]["messages"], None)
    checkpoint = {
        **empty_checkpoint(),
        "channel_values": {"messages": live["messages"]},
        "channel_versions": {"messages": version},
    }
    config = saver.put(found.config, checkpoint, found.metadata, {"messages": version})  # type: ignore[typeddict-item,arg-type]
    again = RedisSaver(client).get_tuple(config)
    assert again is not None
    assert again.checkpoint["channel_values"]["messages"] == live["messages"]


def test_what_a_client_knew_is_forgotten_while_it_waits(
    client: redis.Redis, saver: RedisSaver
) -> None:
    """A reply leaves out what the client holds, also when the client drops it meanwhile."""
    graph = chat_graph(saver)
    for number in range(3):
        live = graph.invoke(said(f"{number}"), thread())
    operation = operations.get_tuple(saver._context, thread())
    call = next(operation)
    reply = client.eval(call.script.source, len(call.keys), *call.keys, *call.args)
    saver._cache.forget("treadle:main:{t}")
    with pytest.raises(StopIteration) as returned:
        operation.send(reply)
    assert returned.value.value.checkpoint["channel_values"]["messages"] == live["messages"]
    assert chat_graph(saver).get_state(thread()).values == live


@pytest.fixture
def durable_redis(short_tmp_path: Path) -> Iterator[RedisServer]:
    # With everysec, Redis may acknowledge a write before it gave it to the operating system.
    settings = {"appendonly": "yes", "appendfsync": "always"}
    with running_server(packaged_binary(), short_tmp_path, **settings) as server:
        yield server


def test_the_server_is_killed_in_the_middle_of_puts(durable_redis: RedisServer) -> None:
    acknowledged: dict[str, list[str]] = {}
    for round_number in range(4):
        writer = Writer(durable_redis, f"{round_number}")
        writer.start()
        wait_until(partial(writer.has_put, 12 + 5 * round_number))
        durable_redis.kill()
        writer.join()
        acknowledged |= writer.acknowledged
        durable_redis.start()
        with durable_redis.client() as client:
            wait_until(partial(ready, client))
            check(client, acknowledged)


class Writer(threading.Thread):
    """Puts checkpoints of a growing conversation until the server is gone."""

    def __init__(self, server: RedisServer, name: str) -> None:
        super().__init__()
        self.server = server
        self.said = name
        self.acknowledged: dict[str, list[str]] = {}

    def has_put(self, number: int) -> bool:
        return len(self.acknowledged) >= number

    def run(self) -> None:
        path = str(self.server.socket_path)
        with redis.Redis(unix_socket_path=path, retry=None) as client:
            saver = RedisSaver(client)
            config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
            messages: list[HumanMessage] = []
            while True:
                new = [HumanMessage(f"{self.said} {n}" + "x" * 50_000) for n in range(3)]
                messages = [*messages[-12:], *new]
                version = saver.get_next_version(None, None)
                checkpoint: Any = {
                    **empty_checkpoint(),
                    "channel_values": {"messages": messages},
                    "channel_versions": {"messages": version},
                }
                try:
                    config = saver.put(config, checkpoint, {}, {"messages": version})
                    saver.put_writes(config, [("messages", new)], "task")
                except Exception:
                    return
                self.acknowledged[checkpoint["id"]] = texts(messages)


def ready(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
        return False


def check(client: redis.Redis, acknowledged: dict[str, list[str]]) -> None:
    saver = RedisSaver(client)
    found = {item.checkpoint["id"]: item for item in saver.list(thread())}
    for checkpoint_id, messages in acknowledged.items():
        item = found[checkpoint_id]
        assert texts(item.checkpoint["channel_values"]["messages"]) == messages
        assert [write[1] for write in item.pending_writes or []] == ["messages"]
    latest = saver.get_tuple(thread())
    assert latest is not None
    assert latest.checkpoint["id"] == max(found)
