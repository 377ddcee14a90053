"""An item costs the same however many items there are."""

from collections.abc import Callable
from typing import Any

import redis
from langgraph.store.base import GetOp, PutOp, SearchOp

from treadle.memory.store import Facts, RedisStore

NAME = ("users", "alice", "notes")
TEXT = "x" * 200


def fill(store: RedisStore, first: int, stop: int) -> None:
    puts = [PutOp(NAME, f"key {n:05}", {"n": n, "text": TEXT}) for n in range(first, stop)]
    store.batch(puts)


def memory(client: redis.Redis) -> int:
    return sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(count=1000))


def round_trips(client: redis.Redis, work: Callable[[], Any]) -> int:
    before = _scripts_run(client)
    work()
    return _scripts_run(client) - before


def _scripts_run(client: redis.Redis) -> int:
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


def test_bytes_and_round_trips_stay_flat(client: redis.Redis, store: RedisStore) -> None:
    per_item, trips = [], []
    store.batch([GetOp(NAME, "k"), SearchOp(NAME)])  # Redis learns the scripts
    for first, stop in ((0, 1_000), (1_000, 4_000)):
        before = memory(client)
        fill(store, first, stop)
        per_item.append((memory(client) - before) / (stop - first))
        trips.append(
            [
                round_trips(client, lambda: store.put(NAME, "key 00001", {"n": 1, "text": TEXT})),
                round_trips(client, lambda: store.get(NAME, "key 00002")),
                round_trips(client, lambda: store.search(NAME, limit=10)),
                round_trips(client, lambda: store.search(NAME, limit=10, offset=900)),
                round_trips(client, lambda: store.batch([PutOp(NAME, "a", {})] * 50)),
            ]
        )
    assert trips == [[1] * 5] * 2
    # Redis grows its tables by doubling them.
    assert per_item[1] <= 1.1 * per_item[0]
    assert per_item[1] <= len(TEXT) + 320


async def test_remembering_takes_two_round_trips(client: redis.Redis, store: RedisStore) -> None:
    facts = Facts(store, ("users", "alice", "facts"))
    for number in range(300):
        await facts.remember(f"fact {number}", about=f"thing {number % 100}")
    before = _scripts_run(client)
    await facts.remember("another", about="thing 7")
    assert _scripts_run(client) - before == 2
    await facts.current("thing")
    assert _scripts_run(client) - before == 3
