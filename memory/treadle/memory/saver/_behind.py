"""Checkpoints on their way to Redis while the graph that made them goes on."""

import asyncio
from collections.abc import Coroutine, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.runnables import RunnableConfig

from treadle.memory.saver._columns import Columns
from treadle.memory.saver._keys import FENCE

_current: ContextVar["WriteBehind | None"] = ContextVar("write_behind", default=None)


class WriteBehind:
    """Lets a graph go on while the checkpoint it just made is on its way.

    One checkpoint is under way at a time, or one of each graph where several work side by side.
    Once one could not be kept none is: what came later would rest on a gap.

    Args:
        token: of the attempt whose checkpoints these are (see `fenced`).
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._kept: dict[Hashable, tuple[list[Any], Columns]] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None

    async def put(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin to keep a checkpoint, as soon as those before it are kept.

        Its values become bytes before this returns to a graph that could change them: of what is
        due in one turn of the event loop, asyncio begins with what was due first.

        Raises:
            TreadleError: an earlier one could not be kept.
        """
        try:
            await self.settled()
        except BaseException:
            work.close()
            raise
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if task.cancelled():
            self._failure = self._failure or asyncio.CancelledError()
        else:
            self._failure = self._failure or task.exception()

    def note(self, channel: Hashable, values: list[Any], columns: Columns) -> None:
        """Note as what columns the list was kept that a channel of a thread held last."""
        self._kept[channel] = (values, columns)

    def is_kept(self, channel: Hashable, values: Sequence[Any], columns: Columns) -> bool:
        """Tell whether this very list was kept as these columns, so that nobody need compare."""
        noted = self._kept.get(channel)
        return noted is not None and noted[0] is values and noted[1] is columns

    async def settled(self) -> None:
        """Return when all checkpoints are kept.

        Raises:
            TreadleError: one could not be.
        """
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        """Let what is under way come to its end, whatever that is."""
        while self._under_way:
            await asyncio.wait(self._under_way)


@contextmanager
def writing_behind(token: str, is_wanted: bool = True) -> Iterator[WriteBehind]:
    """Let graphs go on, inside, while their checkpoints are on their way.

    Whoever opens this sees to it that what must not happen before a checkpoint is kept waits for
    `WriteBehind.settled`. It is for `RedisSaver`'s asynchronous face and configs with that token
    (see `fenced`).

    Args:
        token: the attempt's.
        is_wanted: whether they are to; otherwise each waits for Redis, and nothing is on its way.
    """
    behind = WriteBehind(token)
    before = _current.set(behind if is_wanted else None)
    try:
        yield behind
    finally:
        _current.reset(before)


def current() -> WriteBehind | None:
    """Return the attempt's that this is called in."""
    return _current.get()


def write_behind_of(config: RunnableConfig) -> WriteBehind | None:
    """Return what a checkpoint with this config may be left to; ``None`` to wait for Redis."""
    behind = _current.get()
    if behind is None or (config.get("configurable") or {}).get(FENCE) != behind.token:
        return None
    return behind
