"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

POLL_SECONDS = 0.005


def wait_until(
    predicate: Callable[[], Any], *, within_seconds: float = 10.0, what: str = ""
) -> Any:
    """Return the predicate's first true value, or fail when none comes in time."""
    deadline = time.monotonic() + within_seconds
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_too_late(predicate, within_seconds, what))
        time.sleep(POLL_SECONDS)
    return value


async def eventually(
    predicate: Callable[[], Awaitable[Any] | Any],
    *,
    within_seconds: float = 10.0,
    what: str = "",
) -> Any:
    """Do the same without blocking the event loop; the predicate may be a coroutine function."""
    deadline = time.monotonic() + within_seconds
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_too_late(predicate, within_seconds, what))
        await asyncio.sleep(POLL_SECONDS)


def _too_late(predicate: object, within_seconds: float, what: str) -> str:
    return f"Not true within {within_seconds} seconds: {what or predicate}"
