"""What a turn of a conversation costs behind a window, at its beginning and after 2,000 turns.

``python -m benchmarks.memory.window [turns] [budget]``: the ``react`` graph with a window of 4,000
tokens over an embedded Redis of its own, a model that answers at once, and messages of some 300
characters. As in the runtime, what a run said is noted in the transcript after it.

Each figure is per turn, around turn 20 and at the end: bytes that Redis holds more, bytes sent
and received, round trips, messages in the graph's state, and CPU of the client in ms: for that,
turns of a young thread and of the old one alternate, so that a busy machine slows both. Then: the
longest prompt; the share of a prompt that stands unchanged at the beginning of the next one; and
whether what was said at turn 3 is in the prompt when it is asked for at the end.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, product
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field
from redis.asyncio.connection import AbstractConnection

from treadle.graphs import GraphParts, react
from treadle.memory import connect
from treadle.memory.bundle import Memory
from treadle.memory.window import count_tokens
from treadle.tools import tool

TURNS = 2_000
BUDGET = 4_000
AROUND = 20
FACT = "By the way, my boat is called the Grey Heron and lies in Roscoff."
QUESTION = "What is the name of my boat?"
NAME = "Grey Heron"
THREAD = "t"
CPU_TURNS = 60

_SYLLABLES = ("ka", "lo", "mir", "te", "sun", "va", "dor", "ne", "pil", "ru", "bas", "ghen", "oti")
_WORDS = ["".join(parts) for parts in product(_SYLLABLES, repeat=3)]
_WEIGHTS = list(accumulate(1 / (rank + 50) for rank in range(len(_WORDS))))
"""Some words come often and most seldom, as the words of a language that are no stop words do."""


class Answering(BaseChatModel):
    """A model that answers at once, and keeps the prompts it was shown."""

    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "answering"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.prompts.append(list(messages))
        answer = AIMessage(f"I see. {prose(260)}")
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Any:
        return self


@tool
def look_up(topic: str) -> str:
    """Look a topic up."""
    return topic


@dataclass
class Figures:
    """What each turn cost, by turn."""

    stored: list[int] = field(default_factory=list)
    wire: list[int] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    remembered: bool = False


def prose(length: int) -> str:
    """Return words in an order that does not come again."""
    return " ".join(random.choices(_WORDS, cum_weights=_WEIGHTS, k=length // 8)) + "."


def question(turn: int, turns: int) -> str:
    if turn == 3:
        return FACT
    return QUESTION if turn == turns else f"Message {turn}: {prose(280)}"


class RoundTrips:
    """Counts what is sent to Redis in one piece; what waits for an answer together is one."""

    def __init__(self) -> None:
        self.count = 0
        self._send = AbstractConnection.send_packed_command

    def __enter__(self) -> "RoundTrips":
        async def counted(connection: Any, *arguments: Any, **options: Any) -> Any:
            self.count += 1
            return await self._send(connection, *arguments, **options)

        AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        AbstractConnection.send_packed_command = self._send  # type: ignore[method-assign]


class Conversation:
    """A thread that is talked on behind a window, as the runtime does."""

    def __init__(self, memory: Memory, budget: int, thread: str) -> None:
        self.model = Answering()
        self._memory = memory
        self._thread = thread
        self._graph = react(
            GraphParts(
                model=self.model,
                tools=[look_up],
                window=memory.window(budget),
                checkpointer=memory.saver,
            )
        )

    async def turn(self, text: str) -> tuple[float, int]:
        """Hold a turn and return its CPU time, in ms, and the number of messages in the state."""
        started = time.process_time()
        said = {"messages": [HumanMessage(text)]}
        state = await self._graph.ainvoke(said, {"configurable": {"thread_id": self._thread}})
        await self._memory.note(self._thread, state["messages"])
        return (time.process_time() - started) * 1000, len(state["messages"])


async def measured(client: Any, memory: Memory, turns: int, budget: int) -> Figures:
    """Hold a conversation and return what each of its turns cost."""
    talk = Conversation(memory, budget, THREAD)
    figures = Figures()
    sampled = {*near(AROUND), *near(turns)}
    for turn in range(1, turns + 1):
        is_sampled = turn in sampled
        stored = await held(client) if is_sampled else 0
        wire = await moved(client) if is_sampled else 0
        with RoundTrips() as trips:
            _, in_state = await talk.turn(question(turn, turns))
        figures.wire.append(await moved(client) - wire if is_sampled else 0)
        figures.stored.append(await held(client) - stored if is_sampled else 0)
        figures.trips.append(trips.count)
        figures.state.append(in_state)
        if turn % 100 == 0:
            print(f"  {turn} turns", file=sys.stderr)
    prompts = talk.model.prompts
    figures.tokens = [count_tokens(prompt) for prompt in prompts]
    figures.unchanged = [unchanged(*pair) for pair in pairwise(prompts)]
    figures.remembered = NAME in "\n".join(m.text for m in prompts[-1][:-1])
    return figures


async def cpu_side_by_side(memory: Memory, budget: int) -> tuple[list[float], list[float]]:
    """Return the CPU time of turns of a young thread and of the old one, in ms.

    They alternate, so that whatever else the machine does slows both alike.
    """
    young, old = (Conversation(memory, budget, thread) for thread in ("young", THREAD))
    for turn in range(1, near(AROUND)[0]):
        await young.turn(question(turn, 0))
    pairs = [
        [(await talk.turn(f"Message {turn}: {prose(280)}"))[0] for talk in (young, old)]
        for turn in range(CPU_TURNS)
    ]
    early, late = zip(*pairs, strict=True)
    return list(early), list(late)


def near(turn: int) -> range:
    """Return the turns that are measured around a turn.

    In a long conversation they are many: a hash table of Redis that doubles within them must not
    decide what a turn costs.
    """
    if turn == AROUND:
        return range(11, turn + 20)
    return range(turn - (399 if turn >= 1_000 else 39), turn + 1)


async def held(client: Any) -> int:
    """Return how many bytes Redis holds."""
    keys = [key async for key in client.scan_iter(count=1_000)]
    return sum([await client.memory_usage(key, samples=0) for key in keys])


async def moved(client: Any) -> int:
    """Return how many bytes have gone over the wire, to and from Redis."""
    stats = await client.info("stats")
    return int(stats["total_net_input_bytes"] + stats["total_net_output_bytes"])


def unchanged(earlier: Sequence[BaseMessage], later: Sequence[BaseMessage]) -> float:
    """Return the share of the earlier prompt's tokens that the later one begins with."""
    same = 0
    for one, other in zip(earlier, later, strict=False):
        if (one.type, one.content) != (other.type, other.content):
            break
        same += 1
    return count_tokens(earlier[:same]) / count_tokens(earlier)


def print_table(
    figures: Figures, cpu: tuple[list[float], list[float]], turns: int, budget: int
) -> None:
    early, late = near(AROUND), near(turns)
    print(f"{'per turn':<28} {'around 20':>12} {f'at {turns}':>12} {'ratio':>7}")
    rows: dict[str, Sequence[float]] = {
        "bytes stored": figures.stored,
        "bytes over the wire": figures.wire,
        "round trips": figures.trips,
        "messages in the state": figures.state,
    }
    for name, values in rows.items():
        one, other = (statistics.fmean(values[turn - 1] for turn in span) for span in (early, late))
        print(f"{name:<28} {one:>12,.1f} {other:>12,.1f} {other / one:>7.2f}")
    for kind, of in {"mean": statistics.fmean, "median": statistics.median}.items():
        one, other = map(of, cpu)
        name = f"CPU of the client, ms, {kind}"
        print(f"{name:<28} {one:>12,.1f} {other:>12,.1f} {other / one:>7.2f}")
    print(f"longest prompt: {max(figures.tokens):,} of {budget:,} tokens")
    print(
        f"unchanged from prompt to prompt: {statistics.fmean(figures.unchanged):.0%} of the tokens"
    )
    whole = statistics.fmean(share >= 0.5 for share in figures.unchanged)
    print(f"prompts that begin with most of the one before: {whole:.0%}")
    print(f"said at turn 3, in the prompt at turn {turns}: {figures.remembered}")


async def main() -> None:
    """Print the table."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    budget = int(sys.argv[2]) if len(sys.argv) > 2 else BUDGET
    random.seed(20_261_125)
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        async with connect(f"embedded://{Path(folder)}") as client:
            memory = Memory(client)
            figures = await measured(client, memory, turns, budget)
            cpu = await cpu_side_by_side(memory, budget)
    print_table(figures, cpu, turns, budget)


if __name__ == "__main__":
    asyncio.run(main())
