"""Doing what is due, and resting until there is more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from redis.exceptions import RedisError as DriverError

from treadle.core.errors import RedisError
from treadle.core.tasks import stopped

T = TypeVar("T")
RETRY = timedelta(seconds=1)
_log = logging.getLogger("treadle.runtime")


async def attend(
    step: Callable[[], Awaitable[T]],
    rest: Callable[[T], Awaitable[None]],
    stopping: asyncio.Event,
    *,
    what: str,
) -> None:
    """Take steps and rest between them until ``stopping`` is set; a Redis that is away is awaited.

    A step that is under way comes to its end first; a rest is broken off.

    Args:
        step: does all that is due, and returns what the rest needs to know.
        rest: returns when there may be more to do.
        stopping: set when it is over.
        what: what the log calls it.
    """
    told = asyncio.create_task(stopping.wait())
    try:
        while not stopping.is_set():
            try:
                await _either(asyncio.create_task(_rested(rest, await step())), told)
            except (DriverError, RedisError, OSError) as problem:
                _log.warning("%s rest until Redis answers: %s", what, problem)
                await asyncio.wait({told}, timeout=RETRY.total_seconds())
    finally:
        await stopped(told)


async def _rested(rest: Callable[[T], Awaitable[None]], found: T) -> None:
    await rest(found)


async def _either(resting: asyncio.Task[None], told: asyncio.Task[bool]) -> None:
    """Wait for the end of the rest, or break it off when it is over."""
    try:
        await asyncio.wait({resting, told}, return_when=asyncio.FIRST_COMPLETED)
        if resting.done():
            resting.result()
    finally:
        await stopped(resting)
