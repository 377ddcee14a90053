"""Stopping tasks so that they stop."""

import asyncio
from typing import Any

AGAIN_SECONDS = 0.25
"""How long a cancelled task may take to end before it is cancelled once more."""


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return when they have ended, however.

    A cancellation that comes at the same moment as what its task waits for can be lost, in
    `asyncio.wait_for` before Python 3.12 for one, with which redis-py sends its commands
    (https://github.com/python/cpython/issues/81839), so it is repeated until it takes effect.
    """
    while waiting := {task for task in tasks if not task.done()}:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
