"""An asyncio client that sends what is asked at the same moment in one round trip."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

import asyncio
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

BATCH = 64
"""The most commands that are sent together: replies wait for those before them."""
UNDER_WAY = 4
"""From so many round trips under way on, further commands wait for one to end, and go together."""
TOGETHER = {
    *("EVALSHA", "EXISTS", "GET", "SET", "HGET", "HMGET", "HSET", "HDEL"),
    *("XRANGE", "XREVRANGE", "ZRANGE", "ZREM", "UNLINK"),
}
"""What is sent together: commands that do not block and say nothing about their connection."""


@dataclass(slots=True)
class _Asked:
    command: tuple[Any, ...]
    options: dict[str, Any]
    reply: "asyncio.Future[Any]"


class BatchingRedis(redis.asyncio.Redis):
    """A client for one event loop whose commands share round trips.

    A command alone goes as it always does. Those asked in one turn of the event loop, or while
    `UNDER_WAY` round trips are, go as one pipeline, in their order: taking a connection, writing
    and reading costs several times what a command itself does.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._asked: list[_Asked] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command and return its reply."""
        if args[0] not in TOGETHER:
            return await super().execute_command(*args, **options)
        loop = asyncio.get_running_loop()
        asked = _Asked(args, options, loop.create_future())
        self._asked.append(asked)
        self._send_soon(loop)
        return await asked.reply

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Let what is under way end, and close the connections."""
        while self._asked or self._under_way:
            if self._under_way:
                await asyncio.wait(self._under_way)
            else:
                await asyncio.sleep(0)  # What was asked last is about to be sent.
        await super().aclose(close_connection_pool)

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_due and len(self._under_way) < UNDER_WAY:
            self._is_due = True
            loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_due = False
        batch, self._asked = self._asked[:BATCH], self._asked[BATCH:]
        wanted = [asked for asked in batch if not asked.reply.done()]  # Others were cancelled.
        if wanted:
            task = asyncio.create_task(self._exchange(wanted))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        if self._asked:
            self._send_soon(asyncio.get_running_loop())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._asked:
            self._send_soon(task.get_loop())

    async def _exchange(self, batch: list[_Asked]) -> None:
        try:
            replies = await self._replies(batch)
        except BaseException as error:
            for asked in batch:
                if not asked.reply.done():
                    asked.reply.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for asked, reply in zip(batch, replies, strict=True):
            if asked.reply.done():
                continue
            if isinstance(reply, ResponseError):
                asked.reply.set_exception(reply)
            else:
                asked.reply.set_result(reply)

    async def _replies(self, batch: list[_Asked]) -> list[Any]:
        if len(batch) == 1:
            return [await super().execute_command(*batch[0].command, **batch[0].options)]
        pipeline = self.pipeline(transaction=False)
        for asked in batch:
            pipeline.execute_command(*asked.command, **asked.options)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies
