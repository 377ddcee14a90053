"""One run at a time on a thread, over all processes that share a Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.lock import Lock
from redis.exceptions import LockNotOwnedError

from treadle.core.errors import RunError

_LEASE_SECONDS = 30.0
_RENEW_SECONDS = 10.0


@asynccontextmanager
async def thread_lock(redis: Any, prefix: str, thread_id: str) -> AsyncIterator[None]:
    """Hold the thread's lock, waiting for whoever holds it now.

    The lock is a lease that is renewed while it is held, so a process that dies frees it within
    30 seconds.

    Raises:
        RunError: when the lease was lost, because Redis or this process stood still for longer.
    """
    lock = Lock(
        redis, f"{prefix}lock:{thread_id}", timeout=_LEASE_SECONDS, sleep=0.05, thread_local=False
    )
    holder = asyncio.current_task()
    assert holder is not None  # noqa: S101 - a coroutine runs in a task
    lost = False

    async def renew() -> None:
        nonlocal lost
        try:
            while True:
                await asyncio.sleep(_RENEW_SECONDS)
                await lock.reacquire()
        except LockNotOwnedError:
            lost = True
            holder.cancel()

    await lock.acquire()
    renewing = asyncio.create_task(renew())
    try:
        yield
    except asyncio.CancelledError:
        if lost and holder.uncancel() == 0:
            raise RunError(
                f"The run lost its lock on the thread {thread_id!r}: Redis or this process stood "
                f"still for {_LEASE_SECONDS:g} seconds.",
                hint="Ask again; what the thread held before is kept.",
            ) from None
        raise
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        if not lost and lock.local.token is not None:
            await asyncio.shield(_release(lock))


async def _release(lock: Lock) -> None:
    try:
        await lock.release()
    except LockNotOwnedError:
        return  # The lease ran out between the last renewal and now.
