"""A standing connection that carries one batch of commands after another."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import redis.asyncio
import redis.exceptions

Command: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""A command's name with its arguments, and redis-py's options for its reply."""


class Lane:
    """One connection, for one batch at a time.

    A round trip makes less than half the calls of one by redis-py's pool, which takes a connection,
    looks whether something is left on it, counts, and sets a timer for every reply. Here nothing
    can be left: whatever goes wrong closes the connection, and the next batch opens it again.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._connection: Any = client.connection_pool.make_connection()
        self._seconds: float | None = self._connection.socket_timeout

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and return their replies, errors of single commands among them.

        A batch whose connection breaks is sent again, as often as the client's retries say.

        Raises:
            redis.exceptions.RedisError: there was no answer, or not in time.
        """
        attempt = partial(self._attempt, commands)
        try:
            replies: list[Any] = await self._connection.retry.call_with_retry(attempt, self._close)
        except BaseException as error:
            await self._close(error)
            raise
        return replies

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.disconnect()

    async def _close(self, _: BaseException) -> None:
        # What was not read would be taken for the next batch's replies.
        await self._connection.disconnect(nowait=True)

    async def _attempt(self, commands: Sequence[Command]) -> list[Any]:
        if not self._connection.is_connected:
            await self._connect()
        try:
            async with asyncio.timeout(self._seconds) as limit:
                packed = self._connection.pack_commands([command for command, _ in commands])
                await self._connection.send_packed_command(packed)
                replies = [await self._reply(commands[0])]
                for command in commands[1:]:
                    self._give_time(limit)
                    replies.append(await self._reply(command))
                return replies
        except TimeoutError:
            raise redis.exceptions.TimeoutError(
                f"Redis gave no answer within {self._seconds} seconds."
            ) from None

    async def _connect(self) -> None:
        self._connection.socket_timeout = self._seconds
        await self._connection.connect_check_health(retry_socket_connect=False)
        # From here on one timer is kept for all that is waited for.
        self._connection.socket_timeout = None

    def _give_time(self, limit: asyncio.Timeout) -> None:
        # Each reply may take its time: a batch may be long.
        if self._seconds is not None:
            limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def _reply(self, command: Command) -> Any:
        (name, *_), options = command
        try:
            return await self._client.parse_response(self._connection, name, **options)
        except redis.exceptions.ResponseError as error:
            return error
