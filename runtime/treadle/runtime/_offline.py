"""A memory that keeps nothing and finds nothing: for replays and dry runs."""

from collections.abc import Sequence
from typing import Any, NoReturn

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.memory import InMemoryStore

from treadle.memory.bundle import Memory
from treadle.memory.embeddings import embeddings_named
from treadle.memory.transcript import Page


class OfflineMemory(Memory):
    """A memory whose windows look like those of a live run, and whose threads live in ``saver``.

    What a live run reads from memory is recorded as decisions; a replay is answered from there.

    Args:
        saver: the checkpoints.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.saver = saver  # type: ignore[assignment]
        self.transcript: Any = _NoTranscript()
        self.store: Any = InMemoryStore()
        self._recall_with = _no_recall  # type: ignore[assignment]

    async def facts(self, query: str, limit: int) -> list[str]:
        """Find nothing: the journal answers before this is asked."""
        return []

    async def note(self, thread_id: str, messages: Sequence[BaseMessage]) -> None:
        """Keep nothing."""


class _NoTranscript:
    async def add(self, thread_id: str, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
        return messages

    async def read(self, thread_id: str, message_id: str) -> None:
        return None

    async def page(self, thread_id: str, **_: object) -> Page:
        return Page((), 0, 0)


class _NoRecall:
    async def add(self, thread_id: str, messages: Sequence[BaseMessage]) -> None:
        return None

    async def within(self, thread_id: str, query: str, tokens: int) -> Sequence[Any]:
        return ()


def _no_recall(embeddings: object) -> _NoRecall:
    if isinstance(embeddings, str):
        embeddings_named(embeddings)  # A name that nothing has is refused here too.
    return _NoRecall()


class NoRedis:
    """Stands where a replay must not reach Redis, and says so."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A replay has no Redis to {name}.")


class AnyKey(dict[str, str]):
    """An environment in which every key is set: a replay asks no provider."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return a stand-in for the key."""
        return super().get(name, "replay")
