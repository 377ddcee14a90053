"""What docs/memory.md tells an operator about the room that threads take holds."""

import random
from typing import Any

import pytest
import redis
from langchain_core.messages import AIMessage, HumanMessage

from tests.memory.saver.graphs import chat_graph, thread
from treadle.memory.saver import RedisSaver

CHECKPOINTS_PER_TURN = 3
BYTES_PER_CHECKPOINT = 1_200
TIMES_STORED = 2.5


def estimate(turns: int, bytes_per_turn: int) -> float:
    """Return the bytes of a thread as the page says to reckon them."""
    return turns * (TIMES_STORED * bytes_per_turn + BYTES_PER_CHECKPOINT * CHECKPOINTS_PER_TURN)


@pytest.mark.parametrize(
    ("turns", "characters", "text"),
    [(20, 50, "a"), (20, 500, "a"), (20, 500, "織"), (20, 5_000, "ü"), (100, 500, "a")],
)
def test_the_estimate_for_a_thread(
    client: redis.Redis, saver: RedisSaver, turns: int, characters: int, text: str
) -> None:
    def said() -> str:  # never twice the same: that would be stored once
        return f"{random.getrandbits(64):016x}" + text * (characters - 16)

    graph = chat_graph(saver, lambda _: {"messages": [AIMessage(said())]})
    for _ in range(turns):
        live: dict[str, Any] = graph.invoke({"messages": [HumanMessage(said())]}, thread())
    bytes_per_turn = sum(len(message.text.encode()) for message in live["messages"][-2:])
    taken = sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter())
    assert taken == pytest.approx(estimate(turns, bytes_per_turn), rel=0.15)
