"""Things that run beside a program's own work, until it is done."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

AGAIN_SECONDS = 1.0
"""How long a part rests that went wrong, before it runs again."""
_log = logging.getLogger("treadle.runtime")


class Part(Protocol):
    """Something that runs until it is stopped."""

    async def run(self) -> None:
        """Run until `stop` is called."""
        ...

    def stop(self) -> None:
        """End `run`."""
        ...


@asynccontextmanager
async def side_by_side(*parts: Part) -> AsyncGenerator[None]:
    """Run the parts while the context is open; one that goes wrong is said so and runs again."""
    tasks = [asyncio.create_task(_kept_running(part)) for part in parts]
    try:
        yield
    finally:
        for part in parts:
            part.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_running(part: Part) -> None:
    while True:
        try:
            await part.run()
        except Exception:  # Nobody waits for it who could be told otherwise.
            _log.exception("%s went wrong, and runs again", type(part).__name__)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return
