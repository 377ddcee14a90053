"""Things that run beside a program's own work, until it is done."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol


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
    """Run the parts while the context is open."""
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for part in parts:
            part.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
