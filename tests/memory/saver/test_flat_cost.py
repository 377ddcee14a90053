"""A turn of a long thread costs what a turn of a short one costs."""

import sys
import threading
from itertools import pairwise
from typing import Any

import redis
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage

from tests.memory.saver.graphs import Chat, chat_graph, said, texts, thread
from treadle.memory.saver import RedisSaver

TURNS = 400
TEXT = "x" * 500
MAX_BYTES = 3_200_000
MAX_ROUND_TRIPS = 6


def long_answer(_: Chat) -> dict[str, Any]:
    return {"messages": [AIMessage(TEXT)]}


def test_bytes_round_trips_and_calls_stay_flat(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver, long_answer)
    sizes, trips = [0], [round_trips(client)]
    for _ in range(TURNS):
        graph.invoke({"messages": [HumanMessage(TEXT)]}, thread())
        trips.append(round_trips(client))
        sizes.append(memory(client))
    bytes_per_turn = [later - earlier for earlier, later in pairwise(sizes)]
    # A hash table doubles now and then, so a turn is looked at with its neighbours.
    early, late = sum(bytes_per_turn[4:40]) / 36, sum(bytes_per_turn[-40:]) / 40
    assert sizes[-1] <= MAX_BYTES
    assert late <= 1.1 * early
    per_turn = {later - earlier for earlier, later in pairwise(trips[2:])}
    assert per_turn == {MAX_ROUND_TRIPS}
    # What the client does for each message of a thread is done in C, for all of them at once.
    old = calls_of_a_turn(graph, "t")
    for _ in range(5):
        young = calls_of_a_turn(graph, "young")
    assert old <= 1.2 * young


def calls_of_a_turn(graph: Any, thread_id: str) -> int:
    """Return how many functions a turn calls, in all threads."""
    n_calls = 0

    def counted(_frame: object, event: str, _of: object) -> None:
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    threading.setprofile(counted)
    sys.setprofile(counted)
    try:
        graph.invoke({"messages": [HumanMessage(TEXT)]}, thread(thread_id))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return n_calls


def test_the_first_turn_of_a_fresh_process_reads_the_thread_once(
    client: redis.Redis, saver: RedisSaver
) -> None:
    graph = chat_graph(saver)
    for number in range(20):
        graph.invoke(said(f"question {number}"), thread())
    before = (round_trips(client), log_length(client))
    chat_graph(RedisSaver(client)).invoke(said("more"), thread())
    assert round_trips(client) - before[0] == MAX_ROUND_TRIPS
    assert log_length(client) - before[1] == 2


def test_a_checkpoint_put_without_reading_first_stores_no_message_again(
    client: redis.Redis, saver: RedisSaver
) -> None:
    graph = chat_graph(saver)
    for number in range(20):
        graph.invoke(said(f"question {number}"), thread())
    found = saver.get_tuple(thread())
    assert found is not None
    before = log_length(client)
    versions = {"messages": found.checkpoint["channel_versions"]["messages"]}
    RedisSaver(client).put(found.config, found.checkpoint, found.metadata, versions)
    assert log_length(client) == before


def test_messages_shared_with_a_subgraph_are_not_stored_with_every_checkpoint(
    client: redis.Redis, saver: RedisSaver
) -> None:
    inner = chat_graph(None)
    graph = chat_graph(saver, inner)
    for number in range(5):
        graph.invoke(said(f"question {number}"), thread())
    stored = client.lrange(log_key(client), 1, -1)
    assert len(set(stored)) == 10
    # The graph and the subgraph save at the same moment, so that both may bring a new message.
    assert len(stored) <= 20


def test_edits_all_over_are_compacted(client: redis.Redis, saver: RedisSaver) -> None:
    """Many scattered edits neither lose a message nor make the list of intervals grow for ever."""
    n_messages, n_edits = 60, 300

    graph = chat_graph(saver, lambda _: {"messages": []})
    start = [HumanMessage(f"{n}", id=f"m{n}") for n in range(n_messages)]
    graph.invoke({"messages": start}, thread())
    for number in range(n_edits):
        message = HumanMessage(f"edit {number}", id=f"m{number * 7 % n_messages}")
        live = graph.invoke({"messages": [message]}, thread())
    lists = [value for value in client.hvals(key(client, "val")) if value[:4] == b"@log"]
    bodies = client.lrange(log_key(client), 1, -1)
    assert sum(map(len, lists)) < 2 * sum(map(len, bodies))
    assert n_messages + n_edits < len(bodies) < 3 * (n_messages + n_edits)
    fresh = chat_graph(RedisSaver(client))
    assert texts(fresh.get_state(thread()).values["messages"]) == texts(live["messages"])
    states = list(fresh.get_state_history(thread()))
    assert len({tuple(texts(s.values.get("messages", []))) for s in states}) > n_edits


def test_what_left_the_state_costs_the_next_turns_nothing(
    client: redis.Redis, saver: RedisSaver
) -> None:
    def keep_four(state: Chat) -> dict[str, Any]:
        old = [RemoveMessage(message.id) for message in state["messages"][:-3]]
        return {"messages": [*old, AIMessage(TEXT)]}

    graph = chat_graph(saver, keep_four)
    for _ in range(40):
        live = graph.invoke({"messages": [HumanMessage(TEXT)]}, thread())
    assert len(live["messages"]) == 4
    before = client.info("stats")["total_net_output_bytes"]
    found = RedisSaver(client).get_tuple(thread())
    assert found is not None
    assert client.info("stats")["total_net_output_bytes"] - before < 40 * len(TEXT)


def key(client: redis.Redis, part: str) -> bytes:
    (found,) = client.keys(f"treadle:main:{{t}}:{part}")
    return found


def log_key(client: redis.Redis) -> bytes:
    return key(client, "log")


def log_length(client: redis.Redis) -> int:
    return client.llen(log_key(client))


def memory(client: redis.Redis) -> int:
    return sum(client.memory_usage(name, samples=0) or 0 for name in client.scan_iter())


def round_trips(client: redis.Redis) -> int:
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))
