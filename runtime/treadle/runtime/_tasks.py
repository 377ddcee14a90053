"""What the runtime does with tasks that asyncio has no word for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
AGAIN_SECONDS = 2.0
"""How long a cancelled task may take to end before it is cancelled once more."""


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` whole: a cancellation that comes meanwhile takes effect at the next await.

    For a command whose effect must be known to whoever cleans up behind it: cut off on its way to
    Redis, nobody could tell whether it was carried out.

    Raises:
        BaseException: what ``work`` raised.
    """
    holder = asyncio.current_task()
    assert holder is not None  # noqa: S101 - a coroutine runs in a task
    task, is_stopped = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_stopped = True
            holder.uncancel()
    if is_stopped:
        holder.cancel()
    return task.result()


async def stopped(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended, however.

    A cancellation that comes at the same moment as what its task waits for can be lost, in
    `asyncio.wait_for` before Python 3.12 for one, so it is repeated until it takes effect.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    await asyncio.gather(task, return_exceptions=True)
