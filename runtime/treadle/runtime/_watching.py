"""Executing a run and following it: for its reply, or for each of its events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from treadle.core.errors import RunError, TreadleError
from treadle.core.events import Event, Reply, RunFinished
from treadle.core.tasks import stopped
from treadle.runtime._execution import Executor
from treadle.runtime._reporter import Emit
from treadle.runtime._work import Work

Prepare = Callable[[], Coroutine[Any, Any, Work]]
"""Makes a run ready to be executed."""


class Watching:
    """Executes runs for somebody who waits for them; who waits no longer stops the run.

    Args:
        executor: executes them.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def reply(self, prepare: Prepare) -> Reply:
        """Execute a run and return its reply.

        Args:
            prepare: makes the run ready.

        Raises:
            TreadleError: it cannot begin, or failed.
        """
        async with aclosing(self._events(prepare)) as events:
            async for event in events:
                if isinstance(event, RunFinished):
                    return event.reply
        raise RunError("The run ended without a reply.")

    async def told(self, prepare: Prepare, *, pieces: bool) -> AsyncGenerator[Event]:
        """Yield each event of a run; `RunFailed` tells of errors after the first.

        Args:
            prepare: makes the run ready.
            pieces: whether answers are told as they grow.

        Raises:
            TreadleError: before the first event, when the run cannot begin.
        """
        started = False
        try:
            async with aclosing(self._events(prepare, is_watched=pieces)) as events:
                async for event in events:
                    started = True
                    yield event
        except TreadleError:
            if not started:
                raise  # RunFailed told of every later error.

    async def _events(self, prepare: Prepare, *, is_watched: bool = False) -> AsyncGenerator[Event]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        running = asyncio.create_task(self._execute(prepare, queue.put_nowait, is_watched))

        def ended(task: asyncio.Task[Reply]) -> None:
            # Whoever left at `RunFailed` does not await the task: it is not to complain of that.
            _ = task.cancelled() or task.exception()
            queue.put_nowait(None)

        running.add_done_callback(ended)
        try:
            while (event := await queue.get()) is not None:
                yield event
            await running
        finally:
            await stopped(running)

    async def _execute(self, prepare: Prepare, emit: Emit, is_watched: bool) -> Reply:
        work = replace(await prepare(), is_watched=is_watched)
        return await self._executor.execute(work, emit)
