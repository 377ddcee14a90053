"""One run at a time on a thread, over all processes that share a Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeAlias

from redis.asyncio.lock import Lock
from redis.exceptions import LockNotOwnedError
from redis.exceptions import RedisError as DriverError

from treadle.core.errors import RunError
from treadle.memory import thread_root
from treadle.runtime._tasks import uninterrupted
from treadle.runtime.runs._beginning import FreeLock

POLL_SECONDS = 0.05
Take: TypeAlias = Callable[[str, bytes], Awaitable[bool]]
"""Takes a free lock, given its key and whom it is for; returns whether it was free."""


class _Lock(Lock):
    """A lock that can be taken in the step that does what it is taken for."""

    take: Take | None = None

    async def do_acquire(self, token: Any) -> bool:
        if self.take is not None:
            return await self.take(str(self.name), token)
        return bool(await super().do_acquire(token))


async def is_locked(redis: Any, prefix: str, thread_id: str) -> bool:
    """Return whether somebody holds the thread's lock."""
    return bool(await redis.exists(_key(prefix, thread_id)))


@asynccontextmanager
async def thread_lock(
    redis: Any,
    prefix: str,
    thread_id: str,
    lease: timedelta,
    *,
    take: Take | None = None,
    token: bytes | None = None,
) -> AsyncIterator[None]:
    """Hold the thread's lock, waiting for whoever holds it now.

    Args:
        redis: the connection.
        prefix: the tenant's key prefix.
        thread_id: the thread.
        lease: how soon the lock is free again after its holder died; it is renewed three times in
            that time while it is held.
        take: takes the lock, where more is to be done in the same step.
        token: whom it is taken for; somebody new when not given.

    Raises:
        RunError: when the lease was lost, because Redis or this process stood still for longer.
    """
    seconds = lease.total_seconds()
    lock = _Lock(redis, _key(prefix, thread_id), timeout=seconds, thread_local=False)
    lock.take = take
    holder = asyncio.current_task()
    assert holder is not None  # noqa: S101 - a coroutine runs in a task
    lost = False
    over = asyncio.Event()

    async def renew() -> None:
        nonlocal lost
        # A driver that connects again can swallow a cancellation: the event is what ends this.
        while not lost and not over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds / 3):
                    await over.wait()
                    return
            try:
                await lock.reacquire()
            except LockNotOwnedError:
                lost = True
                holder.cancel()
            except (DriverError, OSError):
                continue  # Redis may be back before the lease has run out.

    while not await uninterrupted(lock.acquire(blocking=False, token=token)):  # noqa: ASYNC110 - in Redis
        await asyncio.sleep(POLL_SECONDS)
    renewing = asyncio.create_task(renew())
    try:
        yield
    except asyncio.CancelledError:
        if lost and holder.uncancel() == 0:
            raise RunError(
                f"The run lost its lock on the thread {thread_id!r}: Redis or this process stood "
                f"still for {seconds:g} seconds.",
                hint="Ask again; what the thread held before is kept.",
            ) from None
        raise
    finally:
        over.set()
        renewing.cancel()
        await uninterrupted(_settled(renewing))  # A cancellation here would skip the release.
        if not lost and lock.local.token is not None:
            await uninterrupted(_release(lock))


def free_lock(prefix: str, thread_id: str, lease: timedelta) -> FreeLock:
    """Return a thread's lock, to be taken as an attempt begins."""
    return FreeLock.new(_key(prefix, thread_id), lease)


async def release(redis: Any, taken: FreeLock) -> None:
    """Give back a lock that nobody came to hold."""
    lock = _Lock(redis, taken.key, thread_local=False)
    lock.local.token = taken.token
    await uninterrupted(_release(lock))


def _key(prefix: str, thread_id: str) -> str:
    return f"{thread_root(prefix, thread_id)}:lock"


async def _settled(task: asyncio.Task[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


async def _release(lock: Lock) -> None:
    try:
        await lock.release()
    except (DriverError, OSError):
        return  # The lease ran out before, or will by itself: Redis does not answer.
