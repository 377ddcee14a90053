"""What a listing of checkpoints asks for, and how far it has come."""

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id

from treadle.memory.saver._keys import place_of
from treadle.memory.saver._operations import PAGE, Operation, Operations


class Listing:
    """One listing, for whichever face drives it.

    Attributes:
        threads: the threads asked for; empty when all are.
    """

    def __init__(
        self,
        config: RunnableConfig | None,
        metadata: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        self._place = None if config is None else place_of(config)
        self._metadata = metadata
        self._before = get_checkpoint_id(before) if before else None
        self._left = limit
        self.threads = [] if self._place is None else [self._place.thread_id]

    def find(self, operations: Operations, thread_id: str) -> Operation[list[str]]:
        """Name the checkpoints of a thread that may match."""
        place = self._place
        return operations.find(
            thread_id,
            place.namespace if place else None,
            place.checkpoint_id if place else None,
            self._before,
            # With a filter, any number may have to be read before enough match.
            None if self._metadata else self._left,
        )

    def pages(self, fields: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield pages of ``fields`` until the limit is reached."""
        for start in range(0, len(fields), PAGE):
            if self._is_done:
                return
            yield fields[start : start + PAGE]

    def read(
        self, operations: Operations, thread_id: str, page: Sequence[str]
    ) -> Operation[list[CheckpointTuple]]:
        """Read those of a page that match."""
        return operations.page(thread_id, page, self._metadata)

    def take(self, found: Sequence[CheckpointTuple]) -> Iterator[CheckpointTuple]:
        """Yield what was found, up to the limit."""
        for item in found:
            if self._is_done:
                return
            if self._left is not None:
                self._left -= 1
            yield item

    @property
    def _is_done(self) -> bool:
        return self._left is not None and self._left <= 0
