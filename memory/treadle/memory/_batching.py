"""An asyncio client that sends what is asked at the same moment in one round trip."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import redis.asyncio
from redis.exceptions import ResponseError

from treadle.memory._lane import Command, Lane

BATCH = 64
"""The most commands that are sent together: replies wait for those before them."""
LANES = 4
"""From so many round trips under way on, further commands wait for one to end, and go together."""
TOGETHER = {
    *("EVALSHA", "EXISTS", "GET", "SET", "HGET", "HMGET", "HSET", "HDEL"),
    *("XRANGE", "XREVRANGE", "ZRANGE", "ZREM", "UNLINK"),
}
"""What is sent together: commands that do not block and say nothing about their connection."""

Replies: TypeAlias = "list[Any]"


@dataclass(slots=True)
class _Asked:
    commands: Sequence[Command]
    replies: "asyncio.Future[Replies]"


class BatchingRedis(redis.asyncio.Redis):
    """A client for one event loop whose commands share round trips, on connections of their own.

    What is asked in one turn of the event loop, or while every lane is under way, goes in one
    round trip, in its order: taking a connection, writing and reading cost several times what a
    command itself does. Whatever blocks, or watches, takes a connection of the pool.
    """

    def __init__(self, pool: redis.asyncio.ConnectionPool, lanes: int) -> None:
        """Make a client that opens up to ``lanes`` connections beside those of its pool."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._lanes = lanes
        self._free: list[Lane] = []
        self._asked: list[_Asked] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command and return its reply."""
        if args[0] not in TOGETHER or not self._lanes:
            return await super().execute_command(*args, **options)
        (reply,) = await self._ask([(args, options)])
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def execute_together(self, commands: Sequence[Command]) -> Replies:
        """Execute commands in their order, in one round trip.

        Returns:
            Their replies; what Redis answered with an error is returned, not raised.
        """
        if self._lanes:
            return await self._ask(commands)
        pipeline = self.pipeline(transaction=False)
        for args, options in commands:
            pipeline.execute_command(*args, **options)
        replies: Replies = await pipeline.execute(raise_on_error=False)
        return replies

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Let what is under way end, and close the connections."""
        while self._asked or self._under_way:
            if self._under_way:
                await asyncio.wait(self._under_way)
            else:
                await asyncio.sleep(0)  # What was asked last is about to be sent.
        while self._free:
            await self._free.pop().aclose()
        await super().aclose(close_connection_pool)

    def _ask(self, commands: Sequence[Command]) -> "asyncio.Future[Replies]":
        loop = asyncio.get_running_loop()
        asked = _Asked(commands, loop.create_future())
        self._asked.append(asked)
        self._send_soon(loop)
        return asked.replies

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_due and len(self._under_way) < self._lanes:
            self._is_due = True
            loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_due = False
        batch = self._next_batch()
        if batch:
            task = asyncio.create_task(self._exchange(batch))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        if self._asked:
            self._send_soon(asyncio.get_running_loop())

    def _next_batch(self) -> list[_Asked]:
        """Take what goes next; what was asked as one stays one, however long it is."""
        batch: list[_Asked] = []
        size = taken = 0
        for asked in self._asked:
            if batch and size + len(asked.commands) > BATCH:
                break
            taken += 1
            if not asked.replies.done():  # Others were cancelled.
                batch.append(asked)
                size += len(asked.commands)
        del self._asked[:taken]
        return batch

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._asked:
            self._send_soon(task.get_loop())

    async def _exchange(self, batch: list[_Asked]) -> None:
        lane = self._free.pop() if self._free else Lane(self)
        try:
            replies = iter(await lane.exchange([one for asked in batch for one in asked.commands]))
        except BaseException as error:
            for asked in batch:
                if not asked.replies.done():
                    asked.replies.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        finally:
            self._free.append(lane)
        for asked in batch:
            of_it = [next(replies) for _ in asked.commands]
            if not asked.replies.done():
                asked.replies.set_result(of_it)
