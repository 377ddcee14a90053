"""An asyncio client whose commands share one standing connection."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

from treadle.memory._line import Arguments, Line, Replies

TOGETHER = {
    *("EVAL", "EVALSHA", "EXISTS", "UNLINK", "GET", "SET"),
    *("HDEL", "HEXISTS", "HGET", "HGETALL", "HMGET", "HSET", "HSETNX"),
    *("SADD", "SMEMBERS", "ZADD", "ZRANGE", "ZREM", "XRANGE", "XREVRANGE"),
}
"""What goes over the line: commands that do not block and say nothing about their connection."""
_NOT_ITS_OWN = {"NEVER_DECODE", "keys"}
"""What redis-py's options for a reply say to others than what shapes it."""


class BatchingRedis(redis.asyncio.Redis):
    """A client for one event loop whose commands share round trips, on a connection of their own.

    Whatever blocks, or watches, takes a connection of the pool. What goes over the line is
    executed in the order in which it was asked.
    """

    def __init__(self, pool: redis.asyncio.ConnectionPool, *, has_line: bool, retries: int) -> None:
        """Make a client.

        Args:
            pool: its connections.
            has_line: whether it may open one beside those of its pool.
            retries: how often commands are sent again when their connection breaks.
        """
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._line = Line(self, retries) if has_line else None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command and return its reply."""
        if self._line is None or args[0] not in TOGETHER:
            return await super().execute_command(*args, **options)
        (reply,) = await self._line.ask([args])
        if isinstance(reply, ResponseError):
            raise reply
        if (shape := self.response_callbacks.get(args[0])) is not None:
            return shape(reply, **{n: v for n, v in options.items() if n not in _NOT_ITS_OWN})
        return reply

    async def execute_together(self, commands: Sequence[Arguments]) -> Replies:
        """Execute commands in their order, in one round trip.

        Returns:
            What Redis replied to each; what it answered with an error is returned, not raised.
        """
        if self._line is not None:
            return await self._line.ask(commands)
        pipeline = self.pipeline(transaction=False)
        for args in commands:
            pipeline.execute_command(*args, NEVER_DECODE=True)
        replies: Replies = await pipeline.execute(raise_on_error=False)
        return replies

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Let what is under way end, and close the connections."""
        if self._line is not None:
            await self._line.aclose()
        await super().aclose(close_connection_pool)
