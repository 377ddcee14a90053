"""Connections for which callers wait in the order in which they came."""

import asyncio
from typing import Any

import redis.asyncio
import redis.exceptions


class FairPool(redis.asyncio.BlockingConnectionPool):
    """A pool in which nobody is overtaken.

    In redis-py's own, whoever comes as a connection becomes free takes it from those who wait; of
    a thousand callers at once, some wait until they are refused.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._turns = asyncio.Semaphore(self.max_connections)
        self._with_turn: set[Any] = set()

    async def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a free connection.

        Raises:
            ConnectionError: none became free in time, or it cannot be connected.
        """
        try:
            async with asyncio.timeout(self.timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise redis.exceptions.ConnectionError(
                f"None of {self.max_connections} connections was free for {self.timeout} seconds. "
                "Allow more with 'max_connections' in the URL of Redis."
            ) from None
        try:
            connection = await super().get_connection()  # type: ignore[no-untyped-call]
        except BaseException:
            self._turns.release()
            raise
        self._with_turn.add(connection)
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        try:
            await super().release(connection)
        finally:
            if connection in self._with_turn:
                self._with_turn.remove(connection)
                self._turns.release()
