"""What a turn of a long thread costs, for our saver and its peers, in one table.

A plain ``add_messages`` graph with one node, messages of 500 characters. Each saver runs in a
process of its own, on a store of its own. The peers are no dependency; with an environment that
has them beside treadle::

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install -e . langgraph-checkpoint-sqlite langgraph-checkpoint-postgres \\
        "psycopg[binary]" langgraph-checkpoint-plainredis "langgraph-checkpoint-aws[valkey]"
    /tmp/peers/bin/python -m benchmarks.memory.saver_turns [turns]

One that is not installed is named and left out; PostgreSQL needs its server (Debian: postgresql).

Columns: what the store holds after so many turns; bytes a turn adds around turn 10 and at the end;
CPU of the client, and wall time, of a turn of a young thread and of a turn after the last (medians,
in ms, of 31 pairs of alternating turns); the median of the ratios of the pairs, for the CPU; round
trips of a turn; CPU and wall of the
first ``get_state`` of a saver that has not seen the thread, in ms.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

from benchmarks.memory.saver_peers import SAVERS, AbsentError, Opened
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph, add_messages

TURNS = 400
LENGTH = 500
EARLY = range(5, 16)
PAIRS = 31
YOUNG: Any = {"configurable": {"thread_id": "young"}}
OLD: Any = {"configurable": {"thread_id": "old"}}


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def text() -> str:
    """Return words no store can compress to nothing."""
    words = (f"{random.getrandbits(24):x}" for _ in range(LENGTH // 4))
    return " ".join(words)[:LENGTH]


def graph(saver: Any) -> Any:
    builder = StateGraph(Chat)
    builder.add_node("node", lambda _: {"messages": [AIMessage(text())]})
    builder.add_edge(START, "node")
    return builder.compile(checkpointer=saver)


def measured(opened: Opened, turns: int) -> dict[str, Any]:
    """Return the figures of one saver."""
    late = range(turns - 19, turns + 1)
    sizes: dict[int, int] = {}
    talking = graph(opened.fresh())
    for turn in range(1, turns + 1):
        talk(talking, OLD)
        if turn in (EARLY[0] - 1, EARLY[-1], late[0] - 1, late[-1]):
            sizes[turn] = opened.size()
    cold = graph(opened.fresh())
    started = time.process_time(), time.perf_counter()
    assert len(cold.get_state(OLD).values["messages"]) == 2 * turns
    cold_cpu, cold_wall = time.process_time() - started[0], time.perf_counter() - started[1]

    # Turns of a young and of the old thread alternate, so that a busy machine slows both alike.
    for _ in EARLY:
        talk(talking, YOUNG)
    costs = [(cost(opened, talking, YOUNG), cost(opened, talking, OLD)) for _ in range(PAIRS)]
    young, old = zip(*costs, strict=True)

    def bytes_per_turn(span: range) -> float:
        return (sizes[span[-1]] - sizes[span[0] - 1]) / len(span)

    return {
        "bytes": sizes[turns],
        "bytes_early": bytes_per_turn(EARLY),
        "bytes_late": bytes_per_turn(late),
        "cpu_early": median_ms(turn.cpu for turn in young),
        "cpu_late": median_ms(turn.cpu for turn in old),
        "cpu_ratio": statistics.median(late.cpu / early.cpu for early, late in costs),
        "wall_early": median_ms(turn.wall for turn in young),
        "wall_late": median_ms(turn.wall for turn in old),
        "trips": statistics.median(turn.trips for turn in old) if opened.round_trips else None,
        "cold_cpu": cold_cpu * 1000,
        "cold_wall": cold_wall * 1000,
    }


def talk(talking: Any, thread: Any) -> None:
    talking.invoke({"messages": [HumanMessage(text())]}, thread)


class Cost(NamedTuple):
    """What one turn took, in seconds and round trips."""

    cpu: float
    wall: float
    trips: int


def cost(opened: Opened, talking: Any, thread: Any) -> Cost:
    """Return what a turn of ``thread`` takes."""
    trips = opened.round_trips or (lambda: 0)
    before = time.process_time(), time.perf_counter(), trips()
    talk(talking, thread)
    after = time.process_time(), time.perf_counter(), trips()
    return Cost(after[0] - before[0], after[1] - before[1], after[2] - before[2])


def median_ms(seconds: Iterable[float]) -> float:
    return statistics.median(seconds) * 1000


def one(name: str, turns: int) -> dict[str, Any]:
    """Return the figures of a saver, measured in this process, or why there are none."""
    with tempfile.TemporaryDirectory(prefix="saver-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        try:
            with SAVERS[name](Path(folder)) as opened:
                return measured(opened, turns)
        except AbsentError as absent:
            return {"absent": str(absent)}


def row(name: str, figures: dict[str, Any]) -> str:
    if "absent" in figures:
        return f"{name:<20} left out: {figures['absent']}"
    trips = "-" if figures["trips"] is None else f"{figures['trips']:.0f}"
    return (
        f"{name:<20} {figures['bytes'] / 1e6:>8.2f} MB"
        f" {figures['bytes_early']:>9,.0f} {figures['bytes_late']:>10,.0f}"
        f" {figures['cpu_early']:>7.2f} {figures['cpu_late']:>8.2f}"
        f" {figures['cpu_ratio']:>5.2f}"
        f" {figures['wall_early']:>7.2f} {figures['wall_late']:>8.2f}"
        f" {trips:>6} {figures['cold_cpu']:>9.1f} {figures['cold_wall']:>9.1f}"
    )


def main() -> None:
    """Print the table."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    print(f"{turns} turns, 500-character messages")
    print(
        f"{'saver':<20} {'stored':>11} {'B/turn@10':>9} {f'@{turns}':>10} {'CPU@10':>7}"
        f" {f'@{turns}':>8} {'ratio':>5} {'wall@10':>7} {f'@{turns}':>8} {'trips':>6}"
        f" {'cold CPU':>9} {'cold wall':>9}"
    )
    for name in SAVERS:
        command = [sys.executable, "-m", __spec__.name, "--one", name, str(turns)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(row(name, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2], int(sys.argv[3]))))
    else:
        main()
