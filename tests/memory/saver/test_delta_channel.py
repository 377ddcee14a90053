"""``DeltaChannel``: state that is rebuilt from what the ancestors wrote."""

import asyncio
from collections.abc import Sequence
from operator import itemgetter
from random import Random
from typing import Annotated, Any, TypedDict

import redis
from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.types import Overwrite

from tests.memory.saver.graphs import thread
from tests.support.redis_servers import RedisServer
from treadle.memory.saver import RedisSaver

TRIALS = 200
NODES = 6


def joined(held: list[str], writes: Sequence[list[str]]) -> list[str]:
    """Join in the order of the writes, which is what a wrong order would show in."""
    result = list(held)
    for write in writes:
        result += [f"{len(result)}:{entry}" for entry in write]
    return result


def parallel_graph(saver: RedisSaver, *, snapshot_frequency: int = 100) -> Any:
    channel = DeltaChannel(joined, snapshot_frequency=snapshot_frequency)

    class State(TypedDict):
        log: Annotated[list[str], channel]
        seed: int

    def node(number: int) -> Any:
        def write(values: Any) -> dict[str, list[str]]:
            random = Random(f"{values['seed']} {number}")
            return {"log": [f"n{number}-{random.random()}" for _ in range(random.randrange(3))]}

        return write

    builder = StateGraph(State)
    for number in range(NODES):
        name = f"node{number}"
        builder.add_node(name, node(number))
        builder.add_edge(START, name)
    return builder.compile(checkpointer=saver)


def test_parallel_writes_are_read_back_in_the_order_they_were_applied(client: redis.Redis) -> None:
    graph = parallel_graph(RedisSaver(client))
    differ = 0
    for trial in range(TRIALS):
        config = thread(f"t{trial % 40}")
        live = graph.invoke({"log": [f"in{trial}"], "seed": trial}, config)
        differ += parallel_graph(RedisSaver(client)).get_state(config).values["log"] != live["log"]
    assert differ == 0


async def test_the_same_with_asyncio(redis_server: RedisServer) -> None:
    async with RedisSaver.from_conn_string(redis_server.url) as saver:
        graph = parallel_graph(saver)

        async def talk(number: int) -> bool:
            config = thread(f"t{number}")
            for turn in range(5):
                live = await graph.ainvoke({"log": ["in"], "seed": turn + number * 100}, config)
            async with RedisSaver.from_conn_string(redis_server.url) as fresh:
                found = await parallel_graph(fresh).aget_state(config)
            return bool(found.values["log"] == live["log"])

        assert all(await asyncio.gather(*map(talk, range(10))))


def test_snapshots_and_overwrites_are_read_back(client: redis.Redis) -> None:
    saver = RedisSaver(client)
    graph = parallel_graph(saver, snapshot_frequency=3)
    for turn in range(10):
        entries: Any = Overwrite(["anew"]) if turn == 5 else [f"in{turn}"]
        live = graph.invoke({"log": entries, "seed": turn}, thread())
        fresh = parallel_graph(RedisSaver(client), snapshot_frequency=3)
        assert fresh.get_state(thread()).values["log"] == live["log"]


def test_every_past_state_is_read_back(client: redis.Redis) -> None:
    graph = parallel_graph(RedisSaver(client), snapshot_frequency=4)
    live = {}
    for turn in range(6):
        log = graph.invoke({"log": ["in"], "seed": turn}, thread())["log"]
        live[graph.get_state(thread()).config["configurable"]["checkpoint_id"]] = log
    fresh = parallel_graph(RedisSaver(client), snapshot_frequency=4)
    for checkpoint_id, log in live.items():
        assert fresh.get_state(thread(checkpoint_id=checkpoint_id)).values["log"] == log


def test_pruning_keeps_what_the_latest_state_is_rebuilt_from(client: redis.Redis) -> None:
    saver = RedisSaver(client)
    graph = parallel_graph(saver, snapshot_frequency=5)
    for turn in range(9):
        live = graph.invoke({"log": ["in"], "seed": turn}, thread())
    before = len(list(saver.list(thread())))
    saver.prune(["t"])
    fresh = parallel_graph(RedisSaver(client), snapshot_frequency=5)
    assert fresh.get_state(thread()).values["log"] == live["log"]
    assert 1 < len(list(saver.list(thread()))) < before
    again = fresh.invoke({"log": ["more"], "seed": 0}, thread())["log"]
    assert again[: len(live["log"])] == live["log"]


def test_a_copy_has_the_whole_chain(client: redis.Redis) -> None:
    saver = RedisSaver(client)
    graph = parallel_graph(saver)
    for turn in range(4):
        live = graph.invoke({"log": ["in"], "seed": turn}, thread())
    saver.copy_thread("t", "copy")
    assert parallel_graph(RedisSaver(client)).get_state(thread("copy")).values == live


def test_the_history_takes_one_round_trip(client: redis.Redis) -> None:
    saver = RedisSaver(client)
    graph = parallel_graph(saver)
    for turn in range(5):
        graph.invoke({"log": ["in"], "seed": turn}, thread())
    before = calls(client)
    saver.get_delta_channel_history(config=thread(), channels=["log"])
    assert calls(client) - before == 1


def calls(client: redis.Redis) -> int:
    """Return how many scripts the server was asked to run so far."""
    stats = client.info("commandstats")
    names = ("cmdstat_evalsha", "cmdstat_eval")
    return sum(map(itemgetter("calls"), (stats[name] for name in names if name in stats)))
