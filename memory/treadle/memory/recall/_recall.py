"""`Recall`: messages in, the ones that matter out."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.messages import BaseMessage, RemoveMessage
from langchain_core.messages.utils import count_tokens_approximately

from treadle.memory._keys import checked_id, checked_prefix, thread_root
from treadle.memory._redis_clients import AsyncRedis
from treadle.memory.recall._embedder import Embedder
from treadle.memory.recall._ranking import ranked
from treadle.memory.recall._texts import id_of, is_whole, message_of, texts_of, to_embed
from treadle.memory.textindex import IndexedText, KnownIndexes, Scores, TextIndex
from treadle.memory.textindex.records import Vector

_EMBEDDED_PER_ADD = 512
_FILLED_PER_SEARCH = 64
_FEWEST_TOKENS = 8
_BATCH = 16
_CACHE_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Recalled:
    """A message that was found.

    Attributes:
        message: the message.
        score: how well it fits; comparable within one search only.
    """

    message: BaseMessage
    score: float


class Recall:
    """Finds the earlier messages of threads, kept in Redis (6.2 or later, also a cluster).

    Always by words (BM25), and by meaning too where there are embeddings. Who said a message
    (`said_by`) and when (`said_at`), where it says so, are words by which it is found.

    Any number of processes may add to one thread; each message is there whole or not at all.

    Args:
        client: a client that answers in bytes, as `treadle.memory.connect` gives it.
        embeddings: ``minilm``, ``fastembed:MODEL``, ``openai:MODEL`` or LangChain embeddings.
            Those of another model make all vectors anew, little by little, as threads are searched.
        prefix: what all keys begin with.
        ttl: how long a thread's keys live after it was last added to; for ever when ``None``.
        cache_bytes: about how much memory to use for what is known of the threads searched last,
            so that a search reads only what was added since. None of it is relied on: Redis says
            with each search whether it still holds.

    Raises:
        UnknownNameError, ConfigError: the embeddings are not known, or the prefix cannot be one.
    """

    def __init__(
        self,
        client: AsyncRedis,
        embeddings: Embeddings | str | None = None,
        *,
        prefix: str = "treadle:main:",
        ttl: timedelta | None = None,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        self._client = client
        self._embedder = None if embeddings is None else Embedder(embeddings)
        self._prefix = checked_prefix(prefix)
        self._ttl = ttl
        self._known = KnownIndexes(cache_bytes)

    async def add(self, thread_id: str, messages: Iterable[BaseMessage]) -> None:
        """Make messages findable; one that is there already is replaced where it differs.

        When the embeddings fail, the messages are found by their words, and their vectors are
        made in later searches. A message without an id is known by what it says.

        Raises:
            InputError: the thread id cannot be one.
            UserError: the embeddings cannot be used as things are, such as for a missing package.
        """
        index = self._index(thread_id)
        held = {
            id_of(message): texts_of(message)
            for message in messages
            if not isinstance(message, RemoveMessage)
        }
        if not held:
            return
        entries = await index.entries(held)
        if entries:
            stored = await index.get(entries)
            held = {id_: texts for id_, texts in held.items() if stored.get(id_) != texts}
        texts = [text for parts in held.values() for text in parts]
        if not texts:
            return
        vectors = await self._vectors(texts[:_EMBEDDED_PER_ADD])
        if vectors:
            index = self._index(thread_id, vectors[0])
            embedded = zip(texts, vectors, strict=False)
            texts[: len(vectors)] = [replace(text, vector=row) for text, row in embedded]
        await index.add(texts)

    async def search(self, thread_id: str, query: str, k: int = 10) -> list[Recalled]:
        """Return the best ``k`` messages, best first; none for a query without words.

        Raises:
            InputError: the thread id cannot be one.
            UserError: the embeddings cannot be used as things are, such as for a missing package.
        """
        index, found = await self._ranked(thread_id, query)
        best: list[Recalled] = []
        async for one in _messages(index, found):
            best.append(one)
            if len(best) >= k:
                break
        return best[: max(k, 0)]

    async def within(self, thread_id: str, query: str, tokens: int) -> list[Recalled]:
        """Return the messages that matter most and fit into a budget together, best first.

        Args:
            thread_id: the thread.
            query: what they are to be about.
            tokens: the budget, counted approximately as LangChain's
                `count_tokens_approximately` does: four characters each and three a message.

        Raises:
            InputError: the thread id cannot be one.
            UserError: the embeddings cannot be used as things are, such as for a missing package.
        """
        index, found = await self._ranked(thread_id, query)
        chosen: list[Recalled] = []
        missed = 0
        async for one in _messages(index, found):
            cost = count_tokens_approximately([one.message])
            if cost <= tokens:
                tokens -= cost
                chosen.append(one)
                missed = 0
            else:
                missed += 1
            if tokens < _FEWEST_TOKENS or missed == _BATCH:
                break
        return chosen

    async def remove(self, thread_id: str, ids: Iterable[str]) -> int:
        """Remove messages by their ids.

        Returns:
            how many there were.

        Raises:
            InputError: the thread id cannot be one.
        """
        index = self._index(thread_id)
        entries = await index.entries(ids)
        await index.remove(entries)
        return len(entries)

    async def forget(self, thread_id: str) -> int:
        """Remove everything that is kept of a thread.

        Returns:
            how many messages there were.

        Raises:
            InputError: the thread id cannot be one.
        """
        index = self._index(thread_id)
        entries = await index.entries()
        await index.drop()
        return len(entries)

    def _index(self, thread_id: str, vector: Vector | None = None) -> TextIndex:
        root = thread_root(self._prefix, checked_id("thread id", thread_id))
        space = self._embedder.space(vector) if self._embedder and vector is not None else None
        return TextIndex(
            self._client, f"{root}:recall", ttl=self._ttl, space=space, known=self._known
        )

    async def _vectors(self, texts: Sequence[IndexedText]) -> list[Vector] | None:
        if self._embedder is None:
            return None
        return await self._embedder.documents([to_embed(text) for text in texts])

    async def _ranked(
        self, thread_id: str, query: str
    ) -> tuple[TextIndex, Iterator[tuple[int, float]]]:
        index = self._index(thread_id)
        if not query.strip():
            return index, iter(())
        question = await self._embedder.query(query) if self._embedder else None
        if question is not None:
            index = self._index(thread_id, question)
        scores = await index.scores(query)
        if question is not None:
            await self._fill(index, scores)
        return index, ranked(scores, question)

    async def _fill(self, index: TextIndex, scores: Scores) -> None:
        """Make some of the vectors that are missing, the newest first."""
        if scores.vectors is None:
            return
        rows = np.flatnonzero(~scores.vectors.any(axis=1))[-_FILLED_PER_SEARCH:]
        hits = await index.fetch([(int(scores.numbers[row]), 0.0) for row in rows])
        texts = [IndexedText(hit.id, hit.text, hit.context) for hit in hits]
        vectors = await self._vectors(texts)
        if not vectors:
            return
        made = dict(zip((hit.number for hit in hits), vectors, strict=True))
        await index.fill(made)
        for row in rows:
            if (vector := made.get(int(scores.numbers[row]))) is not None:
                scores.vectors[row] = vector


async def _messages(
    index: TextIndex, found: Iterator[tuple[int, float]]
) -> AsyncIterator[Recalled]:
    """Yield the messages that texts belong to, each once, in the order of their best text."""
    seen: set[str] = set()
    while batch := list(islice(found, _BATCH)):
        hits = await index.fetch(batch)
        scores = {hit.id: hit.score for hit in reversed(hits) if hit.id not in seen}
        seen |= scores.keys()
        whole = {hit.id: message_of([hit]) for hit in hits if is_whole(hit)}
        parted = [id_ for id_ in scores if id_ not in whole]
        stored = await index.get(parted) if parted else {}
        whole |= {id_: message_of(texts) for id_, texts in stored.items()}
        for id_ in dict.fromkeys(hit.id for hit in hits):
            if id_ in whole and id_ in scores:
                yield Recalled(whole[id_], scores[id_])
