"""`Memory`: all that a tenant's conversations are kept in, opened together."""

from collections.abc import Sequence
from datetime import timedelta

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from treadle.memory._cipher import AesGcmCipher
from treadle.memory._redis_clients import AsyncRedis
from treadle.memory.saver import RedisSaver
from treadle.memory.transcript import Transcript
from treadle.memory.window import ContextWindow, Facts, SummaryMode

NOTED_MESSAGES = 200
"""How many of a state's latest messages `Memory.note` looks at: more than a window holds."""


class Memory:
    """What conversations are kept in: their state, and the whole of what was said.

    Everything of a thread lies under the same prefix and lives as long.

    Args:
        client: an asyncio client, as `treadle.memory.connect` gives it; it is not closed.
        prefix: what every key begins with; the tenant is in it.
        ttl: how long a thread lives after it was last written to; for ever when ``None``.
        cipher: encrypts what is stored.
        facts: finds the facts that matter for a question.

    Attributes:
        saver: the checkpoints of the graphs.
        transcript: everything that was said.
    """

    def __init__(
        self,
        client: AsyncRedis,
        *,
        prefix: str = "treadle:main:",
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
        facts: Facts | None = None,
    ) -> None:
        self.saver = RedisSaver(client, prefix=prefix, ttl=ttl, cipher=cipher)
        self.transcript = Transcript(client, prefix=prefix, ttl=ttl, cipher=cipher)
        self._facts = facts

    def window(
        self,
        tokens: int,
        *,
        summary: SummaryMode = "extract",
        model: BaseChatModel | None = None,
        facts: bool = True,
    ) -> ContextWindow:
        """Return a window over this memory.

        Args:
            tokens: the budget of a prompt, instructions and tools included.
            summary: how the turns that leave are summarised.
            model: what summarises, for ``summary="model"``.
            facts: whether facts are looked up for each question.
        """
        return ContextWindow(
            tokens,
            transcript=self.transcript,
            facts=self._facts if facts else None,
            summary=summary,
            model=model,
        )

    async def note(self, thread_id: str, messages: Sequence[BaseMessage]) -> None:
        """Put what a run said into the transcript, in one round trip.

        Args:
            thread_id: the thread.
            messages: the messages of the graph's state after the run; those that are known already
                stay where they are.
        """
        said = [message for message in messages[-NOTED_MESSAGES:] if message.id]
        await self.transcript.add(thread_id, said)

    async def forget(self, thread_id: str) -> dict[str, int]:
        """Remove all that is kept of a thread, and return how many of each kind there were."""
        await self.saver.adelete_thread(thread_id)
        return {"messages": await self.transcript.forget(thread_id)}
