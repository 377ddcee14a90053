"""Forgetting the threads of runs that had one of their own."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

from treadle.core.errors import TreadleError, UnknownNameError
from treadle.runtime._forgetting import Forgetting
from treadle.runtime.queue._board import Board

TOGETHER = 10
"""How many threads are forgotten at the same time: what that asks of Redis goes together."""
_log = logging.getLogger("treadle.worker")


class Leaving:
    """Forgets threads beside the runs at work, which do not wait for it.

    One that could not be forgotten, and one whose worker stopped, is told of again a minute later.

    Args:
        forgetting: forgets them.
        board: the queue, which tells of them.
    """

    def __init__(self, forgetting: Forgetting, board: Board) -> None:
        self._forgetting = forgetting
        self._board = board
        self._waiting: dict[str, None] = {}
        self._working: asyncio.Task[None] | None = None

    def forget(self, thread_ids: Iterable[str]) -> None:
        """Forget the threads soon."""
        self._waiting.update(dict.fromkeys(thread_ids))
        if self._waiting and (self._working is None or self._working.done()):
            self._working = asyncio.create_task(self._work())

    async def aclose(self) -> None:
        """Return when those at work are forgotten; the others are told of again."""
        self._waiting.clear()
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._waiting:
            now = list(islice(self._waiting, TOGETHER))
            await asyncio.gather(*(self._forget(thread_id) for thread_id in now))
            for thread_id in now:
                self._waiting.pop(thread_id, None)

    async def _forget(self, thread_id: str) -> None:
        try:
            with suppress(UnknownNameError):  # Somebody else forgot it.
                await self._forgetting.thread(thread_id)
            await self._board.left(thread_id)
        except TreadleError as error:
            _log.warning("The thread %s is still to be forgotten: %s", thread_id, error)
