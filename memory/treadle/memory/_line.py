"""One connection for the scripts of all who share a client.

redis-py lends a connection to one command at a time, and spends some 400 function calls on it.
A `Line` sends each command at once and gives replies to their senders in order, for a tenth of
that. redis-py still makes the connection: its addresses, passwords, TLS and retries hold.
"""

import asyncio
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

import hiredis
import redis.asyncio
from redis._parsers import BaseParser
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import TimeoutError as LateError

IDLE_SECONDS = 30
"""How long a line may have been silent to be trusted still."""
MIN_CONNECTIONS = 4
"""A client that may have fewer connections keeps them all for single commands."""

_MISSING = object()


class Line(asyncio.Protocol):
    """A connection of a redis-py client on which commands follow each other without waiting.

    Args:
        connection: redis-py's, connected and greeted; nobody else may use it.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._loop = asyncio.get_running_loop()
        self._transport = connection._writer.transport
        # Whoever closes the connection waits for the protocol that it began with.
        self._first: asyncio.Protocol = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._reader = hiredis.Reader(replyError=BaseParser.parse_error, notEnoughData=_MISSING)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._patience = connection.socket_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._loop.time()
        self._is_lost = False

    @property
    def is_good(self) -> bool:
        """Whether commands may be sent on it."""
        if self._is_lost or self._transport.is_closing():
            return False
        return bool(self._waiting) or self._loop.time() - self._heard < IDLE_SECONDS

    async def execute(self, *command: Any) -> Any:
        """Send a command and return its reply, as bytes.

        Raises:
            redis.ConnectionError: the connection was lost before the reply came.
            redis.TimeoutError: the reply did not come in time.
            redis.RedisError: the reply was an error.
        """
        reply = await self.send(command)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def send(self, command: tuple[Any, ...]) -> asyncio.Future[Any]:
        """Send a command now, and return what will be its reply, be it an error."""
        now = self._loop.time()
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((reply, now))
        self._transport.write(hiredis.pack_command(command))
        if self._timer is None and self._patience:
            self._timer = self._loop.call_later(self._patience, self._look)
        return reply

    def data_received(self, data: bytes) -> None:
        """Give replies to those who wait for them."""
        self._heard = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _MISSING:
                waiting, _ = self._waiting.popleft()
                if not waiting.done():  # else nobody wants it any more
                    waiting.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self._drop(LostError(f"Redis said what cannot be read: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self._first.connection_lost(error)
        self._drop(LostError(f"Connection closed by server: {error}"))

    def pause_writing(self) -> None:
        """What is sent waits in memory, where its sender holds it anyway."""

    def resume_writing(self) -> None:
        """As `pause_writing`."""

    def _look(self) -> None:
        """See whether the oldest command has waited for too long."""
        self._timer = None
        if not self._waiting:
            return
        late = self._waiting[0][1] + self._patience - self._loop.time()
        if late > 0:
            self._timer = self._loop.call_later(late, self._look)
        else:
            self._drop(LateError("Timeout reading from socket"))

    def _drop(self, error: Exception) -> None:
        self._is_lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for reply, _ in waiting:
            if not reply.done():
                reply.set_result(error)


class Lines:
    """The line of one client; a new one when it was lost.

    Args:
        client: the client.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> Line:
        """Return a line that commands may be sent on.

        Raises:
            redis.ConnectionError: Redis cannot be reached.
        """
        if self._line is not None and self._line.is_good:
            return self._line
        async with self._opening:
            if self._line is None or not self._line.is_good:
                await self._hang_up()
                self._line = Line(await self._pool.get_connection())
            return self._line

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.connection.disconnect(nowait=True)
            await self._pool.release(line.connection)


_lines: WeakKeyDictionary[redis.asyncio.Redis, Lines] = WeakKeyDictionary()


def lines_of(client: Any) -> Lines | None:
    """Return the lines of a client, one for all who ask; ``None`` where there can be none.

    A cluster has many servers, a Sentinel's primary changes, version 3 of the protocol mixes
    messages with replies, and credentials that are renewed are renewed on idle connections.
    """
    if not isinstance(client, redis.asyncio.Redis) or client.connection is not None:
        return None
    pool = client.connection_pool
    options = pool.connection_kwargs
    if (
        isinstance(pool, SentinelConnectionPool)
        or pool.max_connections < MIN_CONNECTIONS
        or str(options.get("protocol")) != "2"
        or options.get("credential_provider") is not None
        or client.single_connection_client
    ):
        return None
    if client not in _lines:
        _lines[client] = Lines(client)
    return _lines[client]
