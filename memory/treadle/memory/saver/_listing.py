"""What a listing of checkpoints asks for, and how far it has come."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id

from treadle.memory.saver import _upkeep as upkeep
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._keys import Place, place_of

PAGE = 25


class Listing:
    """One listing, for whichever face drives it. The parameters are those of ``list``."""

    def __init__(
        self,
        context: Context,
        config: RunnableConfig | None,
        metadata: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        self._context = context
        self._place = None if config is None else place_of(config)
        self._metadata = metadata
        self._before = get_checkpoint_id(before) if before else None
        self._left = limit

    def threads(self) -> Operation[list[str]]:
        """Return the threads asked for."""
        if self._place is not None:
            return [self._place.thread_id]
        return (yield from upkeep.find_threads(self._context))

    def find(self, thread_id: str) -> Operation[list[str]]:
        """Name the checkpoints of a thread that may match."""
        place = replace(self._place or Place("", None, None), thread_id=thread_id)
        # With a filter, any number may have to be read before enough match.
        limit = None if self._metadata else self._left
        return upkeep.find(self._context, place, self._before, limit)

    def pages(self, fields: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield pages of ``fields`` until the limit is reached."""
        for start in range(0, len(fields), PAGE):
            if self._is_done:
                return
            yield fields[start : start + PAGE]

    def read(self, thread_id: str, page: Sequence[str]) -> Operation[list[CheckpointTuple]]:
        """Read those of a page that match."""
        return upkeep.page(self._context, thread_id, page, self._metadata)

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
