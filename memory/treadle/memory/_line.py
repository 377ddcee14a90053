"""A standing connection that carries commands one after the other without waiting for replies."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hiredis
import redis.asyncio
import redis.exceptions

IDLE_SECONDS = 30.0
"""How long a silent connection is trusted: what lies between may have forgotten it."""

Arguments: TypeAlias = Sequence[Any]
"""A command's name and its arguments."""
Replies: TypeAlias = "list[Any]"


@dataclass(slots=True, eq=False)
class _Asked:
    """Commands that were asked as one.

    Attributes:
        packed: their bytes.
        count: how many they are.
        answer: what waits for their replies.
        replies: those that came.
        tries: how often the connection broke before all had come.
    """

    packed: bytes
    count: int
    answer: "asyncio.Future[Replies]"
    replies: Replies = field(default_factory=list)
    tries: int = 0


class Line:
    """One connection of a client, for all commands that do not block and say nothing about it.

    What is asked in one turn of the event loop goes in one write, and Redis executes everything in
    the order in which it was asked. redis-py makes the connection and greets the server; from then
    on replies go from the socket to whoever waits for them, without the tasks, timers and buffers
    of a pool.

    Where the connection breaks, what has no reply yet is sent again, as often as the client's
    retries say. What got no reply in time is not: it may have been done.
    """

    def __init__(self, client: redis.asyncio.Redis, retries: int) -> None:
        """Make the line of a client; nothing is connected before something is asked.

        Args:
            client: the client whose pool says how to connect.
            retries: how often commands are sent again when their connection breaks.
        """
        self._connection: Any = client.connection_pool.make_connection()
        self._seconds: float | None = self._connection.socket_timeout
        self._retries = retries
        self._asked: deque[_Asked] = deque()
        self._sent: deque[_Asked] = deque()
        self._wire: _Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False

    def ask(self, commands: Sequence[Arguments]) -> "asyncio.Future[Replies]":
        """Send commands and return what waits for their replies, errors of Redis among them.

        Raises:
            redis.exceptions.DataError: an argument is nothing that can be sent.
        """
        loop = asyncio.get_running_loop()
        pack = self._connection.pack_command
        packed = b"".join([part for command in commands for part in pack(*command)])
        asked = _Asked(packed, len(commands), loop.create_future())
        self._asked.append(asked)
        self._send_soon()
        return asked.answer

    async def aclose(self) -> None:
        """Let what was asked come to its end, and close the connection."""
        while waiting := [
            one.answer for one in (*self._asked, *self._sent) if not one.answer.done()
        ]:
            await asyncio.wait(waiting)
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._timer is not None:
            self._timer.cancel()
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await self._connection.disconnect(nowait=True)
            await wire.closed

    def _send_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        """Send what was asked, where nothing stands in the way that will call this when it ends."""
        self._is_due = False
        if self._opening is not None or not self._asked:
            return
        wire = self._wire
        if wire is not None and wire.is_closing:  # It would say so when that is too late.
            self._sent += self._asked  # This was a try of theirs.
            self._asked.clear()
            self._lost(wire, redis.exceptions.ConnectionError("Connection closed."))
            return
        if wire is None or (not self._sent and wire.silence > IDLE_SECONDS):
            self._opening = asyncio.create_task(self._open())
            return
        if wire.is_full:
            return
        if not self._sent:
            wire.heard()
        packed = []
        for asked in self._asked:
            if not asked.answer.done():  # Others were cancelled.
                self._sent.append(asked)
                packed.append(asked.packed)
        self._asked.clear()
        wire.write(b"".join(packed))
        if self._timer is None:
            self._watch(wire)

    def _replied(self, reply: Any) -> None:
        if isinstance(reply, redis.exceptions.ConnectionError):
            raise reply  # The server is still loading its data, say.
        asked = self._sent[0]
        asked.replies.append(reply)
        if len(asked.replies) == asked.count:
            self._sent.popleft()
            if not asked.answer.done():
                asked.answer.set_result(asked.replies)

    def _lost(self, wire: "_Wire", error: Exception) -> None:
        """Send again, on a new connection, what this one left without a reply."""
        if self._wire is not wire:
            return
        self._wire = None
        again = []
        for asked in self._sent:
            asked.replies.clear()
            asked.tries += 1
            if asked.tries > self._retries:
                _fail([asked], error)
            elif not asked.answer.done():
                again.append(asked)
        self._sent.clear()
        self._asked.extendleft(reversed(again))
        if self._asked:
            self._send_soon()

    def _watch(self, wire: "_Wire") -> None:
        """Look again when the connection will have been silent for too long."""
        if self._seconds is not None:
            left = max(self._seconds - wire.silence, 0.001)
            self._timer = asyncio.get_running_loop().call_later(left, self._look, wire)

    def _look(self, wire: "_Wire") -> None:
        self._timer = None
        if not self._sent or self._wire is not wire:
            return  # The next that is sent is watched.
        if self._seconds is not None and wire.silence < self._seconds:
            self._watch(wire)
            return
        late = list(self._sent)
        self._sent.clear()
        error = f"Redis gave no answer within {self._seconds} seconds."
        _fail(late, redis.exceptions.TimeoutError(error))
        # What comes now would be taken for the next one's reply.
        wire.give_up(redis.exceptions.ConnectionError(error))

    async def _open(self) -> None:
        retry, self._wire = self._connection.retry, None
        before = len(self._asked)  # What is asked from now on has as many tries of its own.
        try:
            await self._close(None)
            tries = max((asked.tries for asked in self._asked), default=0)
            if tries > 1:  # One that breaks as soon as it is made gets time.
                await asyncio.sleep(0.01 * 2**tries)
            await retry.call_with_retry(self._connect, self._close)
        except Exception as error:
            _fail([self._asked.popleft() for _ in range(before)], error)
        except BaseException:
            for asked in self._asked:
                asked.answer.cancel()
            raise
        finally:
            self._opening = None
        self._send()

    async def _connect(self) -> None:
        await self._connection.connect_check_health(retry_socket_connect=False)
        transport = self._connection._writer.transport
        errors = self._connection._parser.parse_error
        self._wire = _Wire(self, transport, errors)

    async def _close(self, _: Exception | None) -> None:
        # redis-py would wait for its own reader, which hears of nothing any more.
        await self._connection.disconnect(nowait=True)


class _Wire(asyncio.Protocol):
    """The socket of a line, from the server's greeting on until it is closed.

    Attributes:
        closed: done when the socket is closed.
        is_full: whether more has been written than the socket takes at the moment.
    """

    def __init__(self, line: Line, transport: Any, errors: Any) -> None:
        self._line = line
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(
            protocolError=redis.exceptions.InvalidResponse, replyError=errors
        )
        self._heard = self._loop.time()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.is_full = False
        transport.set_protocol(self)

    @property
    def is_closing(self) -> bool:
        return bool(self._transport.is_closing())

    @property
    def silence(self) -> float:
        """For how many seconds nothing was heard."""
        return self._loop.time() - self._heard

    def heard(self) -> None:
        """Begin to count the seconds of silence anew."""
        self._heard = self._loop.time()

    def write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except (OSError, RuntimeError) as error:  # uvloop's, of one that is closed
            self.give_up(redis.exceptions.ConnectionError(str(error)))

    def give_up(self, error: Exception) -> None:
        """Close the socket at once."""
        self._transport.abort()
        self._line._lost(self, error)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._line._replied(reply)
        except Exception as error:
            self.give_up(error)

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self._line._send_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        reason = str(exc) if exc else "Connection closed by server."
        self._line._lost(self, redis.exceptions.ConnectionError(reason))


def _fail(those: Iterable[_Asked], error: BaseException) -> None:
    for asked in those:
        if not asked.answer.done():
            asked.answer.set_exception(error)
