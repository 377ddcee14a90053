"""`Memory`: all that a tenant's conversations are kept in, opened together."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import cache, partial

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from treadle.memory._cipher import AesGcmCipher
from treadle.memory._noting import Noting
from treadle.memory._redis_clients import AsyncRedis
from treadle.memory.recall import Recall
from treadle.memory.saver import RedisSaver
from treadle.memory.store import Facts, RedisStore, thread_namespace, user_namespace
from treadle.memory.transcript import Transcript
from treadle.memory.window import ContextWindow, SummaryMode, running_config

FACTS = "facts"
"""The kind under which the ``remember`` tool keeps facts in the store."""
NOTED_MESSAGES = 200
"""How many of a state's latest messages `Memory.note` looks at: more than a window holds."""


class Memory:
    """What conversations are kept in: their state, and the whole of what was said.

    Everything of a thread lies under the same prefix and lives as long.

    Args:
        client: an asyncio client, as `treadle.memory.connect` gives it; it is not closed.
        prefix: what every key begins with; the tenant is in it.
        ttl: how long a thread lives after it was last written to; for ever when ``None``.
        cipher: encrypts what is stored, but for what earlier turns are found by: with a cipher
            none are recalled.

    Attributes:
        saver: the checkpoints of the graphs.
        transcript: everything that was said.
        store: what is known across threads.
    """

    def __init__(
        self,
        client: AsyncRedis,
        *,
        prefix: str = "treadle:main:",
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
    ) -> None:
        self.saver = RedisSaver(client, prefix=prefix, ttl=ttl, cipher=cipher)
        self.transcript = Transcript(client, prefix=prefix, ttl=ttl, cipher=cipher)
        self._noting = Noting(self.saver, self.transcript)
        self.store = RedisStore(client, prefix=prefix, cipher=cipher)
        self._recall_with = cache(partial(_recall, client, prefix, ttl)) if not cipher else None

    def window(
        self,
        tokens: int,
        *,
        summary: SummaryMode = "extract",
        model: BaseChatModel | None = None,
        recall: bool = True,
        embeddings: Embeddings | str | None = None,
        facts: bool = True,
    ) -> ContextWindow:
        """Return a window over this memory.

        Args:
            tokens: the budget of a prompt, instructions and tools included.
            summary: how the turns that leave are summarised.
            model: what summarises, for ``summary="model"``.
            recall: whether earlier turns are found again.
            embeddings: the embeddings they are also found by, or the name of some.
            facts: whether facts about the user, or else the thread, are looked up.
        """
        return ContextWindow(
            tokens,
            transcript=self.transcript,
            recall=self._recall_with(embeddings) if recall and self._recall_with else None,
            facts=self.facts if facts else None,
            summary=summary,
            model=model,
        )

    async def facts(self, query: str, limit: int) -> list[str]:
        """Return the facts that hold of the running graph's user, or else of its thread.

        Args:
            query: what they should be about, the best first.
            limit: how many at most.
        """
        config = running_config()
        user, thread = config.get("user_id"), config.get("thread_id")
        if not user and not thread:
            return []
        of_user = user_namespace(str(user), FACTS) if user else None
        namespace = of_user or thread_namespace(str(thread), FACTS)
        found = await Facts(self.store, namespace).current(query, limit)
        return [f"{fact.text} (said on {fact.said_at:%Y-%m-%d})" for fact in found]

    async def note(self, thread_id: str, messages: Sequence[BaseMessage]) -> None:
        """Put what a run said into the transcript, in one round trip as a rule.

        Args:
            thread_id: the thread.
            messages: the messages of the graph's state after the run; those that are known already
                stay where they are.
        """
        said = [message for message in messages[-NOTED_MESSAGES:] if message.id]
        if said:
            await self._noting.note(thread_id, said)

    async def rewrite(
        self, thread_id: str, removed: Sequence[str], replaced: Sequence[BaseMessage]
    ) -> None:
        """Strike messages out of what was said, by their ids, and put others in their places."""
        await self.transcript.strike(thread_id, removed)
        await self.transcript.add(thread_id, replaced)
        unsaid = [*removed, *(message.id or "" for message in replaced if not message.text)]
        if unsaid and self._recall_with:
            await self._recall_with(None).remove(thread_id, unsaid)

    async def unsay(self, thread_id: str, message_ids: Sequence[str]) -> None:
        """Take back what was said last on a thread, by the messages' ids."""
        await self.transcript.unsay(thread_id, message_ids)
        if message_ids and self._recall_with:
            await self._recall_with(None).remove(thread_id, message_ids)

    async def forget(self, thread_id: str) -> dict[str, int]:
        """Remove all that is kept of a thread, and return how many of each kind there were."""
        _, messages, facts, recalled = await asyncio.gather(
            self.saver.adelete_thread(thread_id),
            self.transcript.forget(thread_id),
            self.store.aforget(thread_namespace(thread_id)),
            self._recall_with(None).forget(thread_id) if self._recall_with else _nothing(),
        )
        return {"messages": messages, "recalled": recalled, "facts": facts.items}


async def _nothing() -> int:
    return 0


def _recall(
    client: AsyncRedis, prefix: str, ttl: timedelta | None, embeddings: Embeddings | str | None
) -> Recall:
    return Recall(client, embeddings, prefix=prefix, ttl=ttl)
