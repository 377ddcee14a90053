"""What the runtime does with tasks that asyncio has no word for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
