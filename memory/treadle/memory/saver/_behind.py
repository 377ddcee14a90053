"""Checkpoints on their way to Redis while the graph that made them goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.runnables import RunnableConfig

from treadle.memory._drivers import running_loop
from treadle.memory.saver._batch import Batch
from treadle.memory.saver._cache import LogCache
from treadle.memory.saver._columns import Columns
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._keys import FENCE, ThreadKeys

HOLD_SECONDS = 0.1
"""How long a checkpoint waits for others at most; readers do not see it meanwhile."""
_MOST = 100
"""How many go together at most."""
Drive = Callable[[Operation[None]], Awaitable[None]]
_current: ContextVar["WriteBehind | None"] = ContextVar("write_behind", default=None)


class WriteBehind:
    """Lets a graph go on while the checkpoints it just made are on their way.

    They wait a little for others and go together: those of a step that calls nothing are soon
    followed by the next, and whatever must not happen before they are kept calls `settled`. One
    batch of a thread is under way at a time. Once one could not be kept none is: what came later
    would rest on a gap.

    Args:
        token: of the attempt whose checkpoints these are (see `fenced`).
        blank: the thread, where it is known to have no checkpoint.
    """

    def __init__(self, token: str, blank: str | None = None) -> None:
        self.token = token
        self._blank = blank
        self._held: dict[str, tuple[Batch, Drive]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: dict[Hashable, tuple[list[Any], Columns]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def is_blank(self, thread_id: str) -> bool:
        """Tell whether a thread is known to have no checkpoint, kept or held."""
        return thread_id == self._blank

    def holds(self, thread: ThreadKeys) -> bool:
        """Tell whether something of a thread waits for others."""
        return thread.root in self._held

    async def batch(self, context: Context, thread: ThreadKeys, drive: Drive) -> Batch:
        """Return what goes next of a thread; whoever asks adds to it before anything else happens.

        Args:
            context: what the operations of the saver work with.
            thread: the keys of the thread.
            drive: runs such an operation.

        Raises:
            TreadleError: what came before could not be kept.
        """
        await self._arrived()
        if self._blank == thread.thread_id:
            self._blank = None
        batch, _ = self._held.get(thread.root, (None, None))
        if batch is not None and len(batch) >= _MOST:
            self.send()
            return await self.batch(context, thread, drive)
        if batch is None:
            batch = Batch(context, thread, self.token)
            self._held[thread.root] = batch, drive
        self._loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = self._loop.call_later(HOLD_SECONDS, self.send)
        return batch

    def send(self) -> None:
        """Begin to keep what is held, ahead of whatever is asked of Redis next."""
        self._stop_timer()
        held, self._held = self._held, {}
        if self._failure is not None:
            return
        for root, (batch, drive) in held.items():
            task = asyncio.create_task(self._store(root, batch, drive))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def drop(self) -> None:
        """Forget what is held: nobody will read the thread again."""
        self._stop_timer()
        self._held.clear()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _store(self, root: str, batch: Batch, drive: Drive) -> None:
        if not len(batch):
            return  # What was to be added could not be.
        await drive(batch.store())

        def work(log: LogCache | None) -> None:
            for channel, values in batch.latest.items():
                if log is not None:
                    self._kept[root, channel] = values, log.seen(channel).columns

        batch.context.cache.use(root, work)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if task.cancelled():
            self._failure = self._failure or asyncio.CancelledError()
        else:
            self._failure = self._failure or task.exception()

    def is_kept(self, channel: Hashable, values: Sequence[Any], columns: Columns) -> bool:
        """Tell whether this very list was kept as these columns, so that nobody need compare."""
        noted = self._kept.get(channel)
        return noted is not None and noted[0] is values and noted[1] is columns

    async def _arrived(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._failure is not None:
            raise self._failure

    async def settled(self) -> None:
        """Return when all checkpoints are kept.

        Raises:
            TreadleError: one could not be.
        """
        await self._arrived()
        while self._held:
            self.send()
            await self._arrived()

    def settle(self) -> None:
        """Do as `settled` for a node in a thread of its own, beside the event loop."""
        if self._loop is not None and running_loop() is not self._loop:
            asyncio.run_coroutine_threadsafe(self.settled(), self._loop).result()

    async def aclose(self) -> None:
        """Let what is held and under way come to its end, whatever that is."""
        while self._held or self._under_way:
            if not self._under_way:
                self.send()
            if self._under_way:
                await asyncio.wait(self._under_way)
        self._stop_timer()


@contextmanager
def writing_behind(
    token: str, is_wanted: bool = True, blank: str | None = None
) -> Iterator[WriteBehind]:
    """Let graphs go on, inside, while their checkpoints are on their way.

    Whoever opens this sees to it that what must not happen before a checkpoint is kept waits for
    `WriteBehind.settled`, and in the end calls `WriteBehind.aclose` or `WriteBehind.drop`. It is
    for `RedisSaver`'s asynchronous face and configs with that token (see `fenced`).

    Args:
        token: the attempt's.
        is_wanted: whether they are to; otherwise each waits for Redis, and nothing is on its way.
        blank: the thread, where it is known to have no checkpoint: none is looked for then.
    """
    behind = WriteBehind(token, blank)
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
