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
from treadle.runtime.runs.beginning import FreeLock

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
    taken: FreeLock | None = None,
) -> AsyncIterator["HeldLock"]:
    """Hold the thread's lock, waiting for whoever holds it now.

    Args:
        redis: the connection.
        prefix: the tenant's key prefix.
        thread_id: the thread.
        lease: how soon the lock is free again after its holder died; it is renewed three times in
            that time while it is held.
        take: takes the lock, where more is to be done in the same step.
        taken: the lock, where it was taken already and only has to be held.

    Raises:
        RunError: when the lease was lost, because Redis or this process stood still for longer.
    """
    seconds = lease.total_seconds()
    lock = _Lock(redis, _key(prefix, thread_id), timeout=seconds, thread_local=False)
    lock.take = take
    if taken is not None:
        lock.local.token = taken.token
    else:
        while not await uninterrupted(lock.acquire(blocking=False)):  # noqa: ASYNC110 - in Redis
            await asyncio.sleep(POLL_SECONDS)
    held = HeldLock(lock, seconds)
    try:
        yield held
    except asyncio.CancelledError:
        if held.is_lost and held.holder.uncancel() == 0:
            raise RunError(
                f"The run lost its lock on the thread {thread_id!r}: Redis or this process stood "
                f"still for {seconds:g} seconds.",
                hint="Ask again; what the thread held before is kept.",
            ) from None
        raise
    finally:
        await held.about_to_leave()
        if not (held.is_lost or held.is_given_back):
            await uninterrupted(_release(lock))


class HeldLock:
    """A lock that is renewed from a third of its lease on; most are free by then, without a task.

    Args:
        lock: the lock.
        seconds: its lease.

    Attributes:
        holder: the task that holds it, which is cancelled when the lease was lost.
        is_lost: whether it was.
        is_given_back: whether whoever holds it has given it back by another way.
    """

    def __init__(self, lock: _Lock, seconds: float) -> None:
        holder = asyncio.current_task()
        assert holder is not None  # noqa: S101 - a coroutine runs in a task
        self.holder = holder
        self.is_lost = self.is_given_back = False
        self._lock = lock
        self._pause = seconds / 3
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        # A driver that connects again can swallow a cancellation: the event is what ends this.
        while not self._over.is_set():
            try:
                await self._lock.reacquire()
            except LockNotOwnedError:
                self.is_lost = True
                self.holder.cancel()
                return
            except (DriverError, OSError):
                pass  # Redis may be back before the lease has run out.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._over.wait()

    async def about_to_leave(self) -> FreeLock:
        """Renew it no more; return what to give back."""
        self._over.set()
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await uninterrupted(_settled(self._task))  # Cut off, the release would be skipped.
        lease = timedelta(seconds=3 * self._pause)
        return FreeLock(str(self._lock.name), self._lock.local.token, lease)


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
