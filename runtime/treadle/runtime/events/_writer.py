"""Writing a run's events: each as soon as it can be, those that wait meanwhile together."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from treadle.core.errors import FencedError, RedisError
from treadle.memory.scripts import Driver, Script, ScriptCall
from treadle.runtime.events._feed import Feed
from treadle.runtime.journal import KEEP_EVENTS_MS, RunKeys, lost
from treadle.runtime.runs import StreamedEvent

MAX_EVENTS = 20_000
"""How many events of a run are kept; a reader who is further behind misses the oldest."""
_BATCH = 500
_STREAM = Script.of((files(str(__package__)) / "lua" / "stream.lua").read_text())


class EventWriter:
    """Appends events to a run's stream in the order they are given.

    An event is sent at once when none is under way, and otherwise with all that were given until
    then: a reader waits for one trip at most, and Redis sees few.

    Args:
        driver: the way to Redis.
        keys: the run's keys.
        attempt: the attempt that writes; the fence must hold it.
        feed: what hands on to readers in this process what Redis has.
        before: begins to send what is to reach Redis ahead of the events.
    """

    def __init__(
        self,
        driver: Driver,
        keys: RunKeys,
        attempt: int,
        feed: Feed | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._driver = driver
        self._keys = keys
        self._attempt = attempt
        self._feed = feed
        self._before = before
        self._waiting: list[tuple[str, bytes]] = []
        self._sending: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def add(self, name: str, data: bytes) -> None:
        """Add an event soon; once one could not be written none is: a gap would go unseen."""
        if self._failure is not None:
            return
        self._before()
        self._waiting.append((name, data))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def flush(self) -> None:
        """Return when all events are written.

        Raises:
            FencedError: another attempt, or another run, holds the thread by now.
            RedisError: Redis could not be reached.
        """
        if self._sending is not None:
            await asyncio.shield(self._sending)
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        """Let what is under way come to its end."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        try:
            await self._send_all()
        except (FencedError, RedisError) as failure:
            self._failure = failure  # `flush` raises it, where somebody can act on it.

    async def _send_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            keys = self._keys
            arguments: list[Any] = [keys.token(self._attempt), KEEP_EVENTS_MS, MAX_EVENTS]
            arguments += [part for event in batch for part in event]
            call = ScriptCall(_STREAM, (keys.fence, keys.events), tuple(arguments))
            try:
                ids = await self._driver.ask(call)
            except RedisError as error:
                raise RedisError(
                    f"The events of the run {keys.run_id} could not be written: {error.message}"
                ) from error
            if not ids:
                raise lost(keys.run_id, self._attempt, "another attempt")
            if self._feed is not None:
                told = zip(ids, batch, strict=True)
                self._feed.add([StreamedEvent(id_.decode(), *event) for id_, event in told])
