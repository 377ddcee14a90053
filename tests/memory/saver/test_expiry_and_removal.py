"""What leaves Redis, when, and that nothing else does."""

import random
from datetime import timedelta
from typing import Any

import pytest
import redis
from langchain_core.messages import RemoveMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command, interrupt

from tests.memory.saver.graphs import chat_graph, said, texts, thread
from tests.support.key_leaks import KeyLeaks
from tests.support.redis_servers import RedisServer
from tests.support.waiting import wait_until
from treadle.core.errors import ConfigError, InputError
from treadle.memory.saver import RecordError, RedisSaver
from treadle.memory.saver import _upkeep as upkeep

HOUR = timedelta(hours=1)


AT_ONCE = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local began, left = now(), {}
for i, key in ipairs(KEYS) do left[i] = redis.call('PTTL', key) end
return now() == began and left
"""


def expiries(client: redis.Redis, thread_id: str = "t") -> set[int]:
    """Return when the keys of a thread expire, in ms from one moment."""
    keys = list(client.scan_iter(match=f"*{{{thread_id}}}*"))
    assert len(keys) == 5
    # The clock of Redis 6.2 goes on in a script: an answer is of one moment if it stood still.
    while not (left := client.eval(AT_ONCE, len(keys), *keys)):
        pass
    return set(left)


def test_every_key_has_the_ttl(redis_server: RedisServer, key_leaks: KeyLeaks) -> None:
    saver = RedisSaver(key_leaks.client, ttl=HOUR)
    graph = chat_graph(saver)
    for number in range(3):
        graph.invoke(said(f"{number}"), thread())
    saver.copy_thread("t", "copy")
    graph.invoke(said("more"), thread("copy"))
    saver.prune(["t"])
    saver.delete_for_runs(["none"])
    config = graph.get_state(thread()).config
    saver.put_writes(config, [("messages", ["late"])], "task")
    key_leaks.check()


def test_all_keys_of_a_thread_expire_together(client: redis.Redis) -> None:
    graph = chat_graph(RedisSaver(client, ttl=HOUR))
    graph.invoke(said("hello"), thread())
    for key in client.scan_iter():
        client.pexpire(key, 90_000)
    config = graph.get_state(thread()).config
    RedisSaver(client, ttl=HOUR).put_writes(config, [("a", 1)], "task")
    (left,) = expiries(client)
    assert 3_500_000 < left <= 3_600_000


def test_reading_does_not_prolong_a_thread(client: redis.Redis) -> None:
    graph = chat_graph(RedisSaver(client, ttl=HOUR))
    graph.invoke(said("hello"), thread())
    for key in client.scan_iter():
        client.pexpire(key, 90_000)
    graph.get_state(thread())
    list(graph.get_state_history(thread()))
    assert max(expiries(client)) <= 90_000


def test_the_last_writer_decides(client: redis.Redis) -> None:
    chat_graph(RedisSaver(client, ttl=HOUR)).invoke(said("hello"), thread())
    chat_graph(RedisSaver(client)).invoke(said("for ever"), thread())
    assert {client.ttl(key) for key in client.scan_iter()} == {-1}


def test_an_expired_thread_begins_anew(client: redis.Redis) -> None:
    graph = chat_graph(RedisSaver(client, ttl=timedelta(milliseconds=30)))
    graph.invoke(said("hello"), thread())
    wait_until(lambda: not client.dbsize())
    assert graph.get_state(thread()).values == {}
    live = graph.invoke(said("anew"), thread())
    assert texts(live["messages"])[0] == "anew"


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
def test_a_ttl_that_is_none(client: redis.Redis, ttl: timedelta) -> None:
    with pytest.raises(ConfigError, match="not positive"):
        RedisSaver(client, ttl=ttl)


def test_deleting_a_thread_leaves_no_key(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    for name in ("t", "t2"):
        graph.invoke(said("hello"), thread(name))
    saver.delete_thread("t")
    assert not list(client.scan_iter(match="*{t}*"))
    assert graph.get_state(thread("t2")).values["messages"]
    saver.prune(["t2"], strategy="delete")
    assert not client.dbsize()


def test_tenants_do_not_meet(client: redis.Redis) -> None:
    one, two = (RedisSaver(client, prefix=f"treadle:{name}:") for name in ("a", "a*"))
    for saver in (one, two):
        chat_graph(saver).invoke(said("hello"), {**thread(), "metadata": {"run_id": "r"}})
    assert len({t.config["configurable"]["thread_id"] for t in two.list(None)}) == 1
    two.delete_for_runs(["r"])
    two.delete_thread("t")
    assert chat_graph(one).get_state(thread()).values["messages"]
    assert not list(two.list(None))


def test_pruning_frees_what_nothing_refers_to(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    for number in range(10):
        graph.invoke(said(f"secret {number}"), thread())
    clear: Any = [RemoveMessage(REMOVE_ALL_MESSAGES)]
    live = graph.invoke({"messages": [*clear, ("human", "kept")]}, thread())
    saver.prune(["t"])
    dump = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert b"secret" not in dump
    fresh = chat_graph(RedisSaver(client))
    assert fresh.get_state(thread()).values == live
    assert graph.get_state(thread()).values == live
    more = graph.invoke(said("more"), thread())
    assert chat_graph(RedisSaver(client)).get_state(thread()).values == more
    assert more["messages"][:2] == live["messages"]


def test_removing_a_run_keeps_the_others(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    live = {}
    for name in ("one", "two", "three"):
        config = {**thread(), "metadata": {"run_id": name}}
        live[name] = graph.invoke(said(name), config)
    saver.delete_for_runs(["two"])
    left = {item.metadata.get("run_id") for item in saver.list(thread())}
    assert left == {"one", "three"}
    fresh = chat_graph(RedisSaver(client))
    assert fresh.get_state(thread()).values == live["three"]


def test_a_thread_can_be_used_while_it_waits_and_after_it_was_copied(saver: RedisSaver) -> None:
    graph = chat_graph(saver, lambda _: {"messages": [("ai", interrupt("go on?"))]})
    graph.invoke(said("hello"), thread())
    saver.copy_thread("t", "copy")
    saver.prune(["t"])
    for name in ("t", "copy"):
        assert graph.get_state(thread(name)).interrupts[0].value == "go on?"
        done = graph.invoke(Command(resume=f"yes {name}"), thread(name))
        assert texts(done["messages"]) == ["hello", f"yes {name}"]


def test_an_evicted_key_is_told(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    for part in ("log", "val"):
        client.delete(f"treadle:main:{{t}}:{part}")
        with pytest.raises(RecordError, match=r"evicted.*noeviction"):
            RedisSaver(client).get_tuple(thread())


def test_a_copy_that_was_cut_short_leaves_nothing_for_long(
    client: redis.Redis, saver: RedisSaver
) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    operation = upkeep.copy(saver._context, "t", "copy")
    driver = saver._connection.driver
    request = next(operation)
    for _ in range(3):
        reply = driver._perform(request)  # type: ignore[attr-defined]
        request = operation.send(reply)
    operation.close()
    assert graph.get_state(thread("copy")).values == {}
    left = list(client.scan_iter(match="*{copy}*"))
    assert left
    assert all(0 < client.ttl(key) <= 3600 for key in left)
    saver.copy_thread("t", "copy")
    assert graph.get_state(thread("copy")).values == graph.get_state(thread()).values


def resumed(operation: Any, request: Any) -> Any:
    """Go on with an operation that already made its first request."""
    while True:
        request = operation.send((yield request))


def test_a_thread_that_begins_while_it_is_copied_to_stays_whole(saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    operation = upkeep.copy(saver._context, "t", "copy")
    first = next(operation)
    live = graph.invoke(said("mine"), thread("copy"))
    with pytest.raises(InputError, match="'copy' exists already"):
        saver._run(resumed(operation, first))
    assert graph.get_state(thread("copy")).values == live


def test_savers_that_share_a_seed_do_not_share_versions(saver: RedisSaver) -> None:
    versions = set()
    for _ in range(2):
        random.seed(1)
        versions.add(saver.get_next_version(None, None))
    assert len(versions) == 2
