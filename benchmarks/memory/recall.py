"""How well a conversation's turns are recalled, and what that costs.

    python benchmarks/memory/recall.py --data FOLDER [--embeddings minilm] [--turns 1000]

``FOLDER`` holds conversations of LoCoMo (Maharana et al., ACL 2024): JSON files with
``session_N`` (turns with ``dia_id``, ``speaker`` and ``text``), ``session_N_date_time`` and ``qa``
(questions with the ``dia_id`` of their evidence). R@k is the share of a question's evidence turns
among the first k recalled, averaged over the questions that have evidence; "in N tokens" the share
inside the best that fit into N tokens, four characters each. Beside `Recall` stand, over the same
turns as "speaker: text": BM25 alone, vectors alone, and both joined by reciprocal ranks.
"""

import argparse
import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from langchain_core.messages import HumanMessage
from langchain_core.messages.utils import count_tokens_approximately

from treadle.memory import SAID_AT, connect
from treadle.memory.embeddings import embeddings_named
from treadle.memory.recall import Recall
from treadle.memory.textindex import IndexedText, TextIndex

RANKS = (5, 10)
BUDGETS = (1_000, 2_000, 4_000)


def turns(conversation: dict[str, Any]) -> list[HumanMessage]:
    messages = []
    for number in range(1, len(conversation)):
        said_at = _time(conversation.get(f"session_{number}_date_time", ""))
        for turn in conversation.get(f"session_{number}", []):
            text = turn.get("clean_text") or turn["text"]
            if caption := turn.get("blip_caption"):
                text += f" [shares {caption}]"
            messages.append(
                HumanMessage(
                    text,
                    id=turn["dia_id"],
                    name=turn["speaker"],
                    additional_kwargs={SAID_AT: said_at.isoformat()},
                )
            )
    return messages


def _time(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    return datetime.strptime(re.sub(r"\s+", " ", text), "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)


def conversations(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


Shares = defaultdict[str, list[float]]
Ranker = Callable[[str], Awaitable[list[str]]]
"""Returns the ids of all turns that a question finds, best first."""


async def measure_quality(
    client: Any, recall: Recall, embeddings: str | None, folder: Path
) -> None:
    table: defaultdict[str, Shares] = defaultdict(lambda: defaultdict(list))
    for thread, conversation in conversations(folder).items():
        messages = turns(conversation)
        await recall.add(thread, messages)
        peers = await _peers(client, thread, messages, embeddings)
        costs = {message.id: count_tokens_approximately([message]) for message in messages}
        for asked in conversation["qa"]:
            evidence = set(asked.get("evidence", [])) & set(costs)
            if not evidence:
                continue
            await _measure_recall(recall, thread, asked["question"], evidence, table["Recall"])
            for name, ranker in peers.items():
                _count(evidence, await ranker(asked["question"]), costs, table[name])
    print(f"{len(table['Recall']['R@10'])} questions with evidence")
    for name, shares in table.items():
        figures = "  ".join(f"{kind} {np.mean(values):.3f}" for kind, values in shares.items())
        print(f"{name:<14}{figures}")


async def _measure_recall(
    recall: Recall, thread: str, question: str, evidence: set[str], shares: Shares
) -> None:
    found = [one.message.id for one in await recall.search(thread, question, max(RANKS))]
    for rank in RANKS:
        shares[f"R@{rank}"].append(len(evidence & set(found[:rank])) / len(evidence))
    for budget in BUDGETS:
        inside = {one.message.id for one in await recall.within(thread, question, budget)}
        shares[f"in {budget} tokens"].append(len(evidence & inside) / len(evidence))


def _count(
    evidence: set[str], found: list[str], costs: dict[str | None, int], shares: Shares
) -> None:
    for rank in RANKS:
        shares[f"R@{rank}"].append(len(evidence & set(found[:rank])) / len(evidence))
    for budget in BUDGETS:
        left, inside = budget, set()
        for id_ in found:
            if costs[id_] <= left:
                left -= costs[id_]
                inside.add(id_)
        shares[f"in {budget} tokens"].append(len(evidence & inside) / len(evidence))


async def _peers(
    client: Any, thread: str, messages: list[HumanMessage], name: str | None
) -> dict[str, Ranker]:
    index = TextIndex(client, f"peer:{thread}")
    said = {str(message.id): f"{message.name}: {message.text}" for message in messages}
    await index.add([IndexedText(id_, text) for id_, text in said.items()])

    async def words(question: str) -> list[str]:
        return [hit.id for hit in await index.search(question, len(messages))]

    if name is None:
        return {"BM25": words}
    embeddings = embeddings_named(name)
    rows = np.array(embeddings.embed_documents(list(said.values())))

    async def meaning(question: str) -> list[str]:
        return [str(messages[at].id) for at in np.argsort(-rows @ embeddings.embed_query(question))]

    async def ranks(question: str) -> list[str]:
        scores: defaultdict[str, float] = defaultdict(float)
        for ranking in (await words(question), await meaning(question)):
            for rank, id_ in enumerate(ranking, 1):
                scores[id_] += 1 / (60 + rank)
        return sorted(scores, key=lambda id_: -scores[id_])

    return {"BM25": words, "vectors": meaning, "RRF of both": ranks}


async def measure_cost(
    recall: Recall, client: Any, embeddings: str | None, folder: Path, count: int
) -> None:
    source = [message for one in conversations(folder).values() for message in turns(one)]
    messages = [
        source[number % len(source)].model_copy(update={"id": str(number)})
        for number in range(count)
    ]
    await recall.add("long", messages[:1])
    sent = _count_commands(client)
    started = time.process_time()
    for message in messages[1:]:
        await recall.add("long", [message])
    added = (time.process_time() - started) / (count - 1)
    trips = len(sent) / (count - 1)
    print(f"add a turn: {added * 1e3:.2f} ms CPU, {trips:.1f} round trips")
    sent.clear()
    started = time.process_time()
    await Recall(client, embeddings).search("long", "What did Caroline paint?")
    cold = time.process_time() - started
    print(f"first search of {count} turns: {cold * 1e3:.1f} ms CPU, {len(sent)} round trips")
    sizes = [await client.memory_usage(key, samples=0) for key in await client.keys("*{long}*")]
    print(f"Redis: {sum(sizes) / count:.0f} bytes per turn")


def _count_commands(client: Any) -> list[str]:
    sent: list[str] = []
    execute = client.execute_command

    async def counted(*arguments: Any, **options: Any) -> Any:
        sent.append(arguments[0])
        return await execute(*arguments, **options)

    client.execute_command = counted
    return sent


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embeddings")
    parser.add_argument("--turns", type=int, default=1_000)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="treadle-") as folder:
        async with connect(f"embedded://{folder}") as client:
            recall = Recall(client, options.embeddings)
            await measure_quality(client, recall, options.embeddings, options.data)
            await measure_cost(recall, client, options.embeddings, options.data, options.turns)


if __name__ == "__main__":
    asyncio.run(main())
