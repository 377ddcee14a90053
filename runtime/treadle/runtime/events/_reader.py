"""Reading a run's events, from any of them on, until the run comes to its end."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from treadle.core.errors import InputError, RunError
from treadle.memory.scripts import Script, ScriptCall, driver_of
from treadle.runtime.events._bells import Bells
from treadle.runtime.events._feed import PAGE, Feed
from treadle.runtime.journal import RunKeys
from treadle.runtime.runs import END, ENDS, StreamedEvent

READS_AT_ONCE = 8
"""How many pages are read at once, so that readers leave connections to everybody else."""
_PAGE_BYTES = 64 * 1_024
_READ = Script.of((files(str(__package__)) / "lua" / "read.lua").read_text())


_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


def check_event_id(text: str) -> None:
    """Refuse what is no event's id.

    Raises:
        InputError: it is none.
    """
    if not _ID.fullmatch(text):
        raise InputError(
            f"{text!r:.60} is no event's id.", hint="Give the id of an event of the run, or '0'."
        )


@dataclass(frozen=True, slots=True)
class _Page:
    """Events that were there together.

    Attributes:
        events: the events.
        is_last: whether the run was at its end, and no more were there.
        has_more: whether more were there than fit on the page.
    """

    events: Sequence[StreamedEvent]
    is_last: bool
    has_more: bool


class EventReader:
    """Reads the events of runs.

    Args:
        redis: the connection to Redis.
        bells: what rings when there is more.
    """

    def __init__(self, redis: Any, bells: Bells) -> None:
        self._redis = redis
        self._bells = bells
        self._driver = driver_of(redis, "EventReader")
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._asked: dict[tuple[str, str], asyncio.Task[_Page]] = {}

    async def pages(
        self, keys: RunKeys, after: str, feed: Feed | None = None
    ) -> AsyncGenerator[Sequence[StreamedEvent]]:
        """Yield the events after an id, as they are written, to the last; those that are there
        together.

        A reader holds one page at most, however slow it is: what it has not read waits in Redis. A
        run that was taken up again after an end has one end, the last.

        Args:
            keys: the run's keys.
            after: the id of the last event known; ``"0"`` reads from the beginning.
            feed: what hands the run's events on in this process, where it is executed here.

        Raises:
            RunError: the run was forgotten meanwhile.
        """
        if feed is not None:
            async with aclosing(self._handed(feed, keys, after)) as pages:
                async for events in pages:
                    after = events[-1].id
                    yield events
            if feed.ended is not None:
                return
        async with aclosing(self._told(keys, after)) as pages:
            async for events in pages:
                yield events

    async def _handed(
        self, feed: Feed, keys: RunKeys, after: str
    ) -> AsyncGenerator[Sequence[StreamedEvent]]:
        """Yield what a feed hands on, and what it left behind, until it is over."""
        with feed.heard() as bell:
            while True:
                events = feed.after(after)
                if events is None:
                    events = (await self._page(keys, after)).events
                if events:
                    after = events[-1].id
                    yield events
                elif feed.is_over:
                    return
                else:
                    await bell.wait()

    async def _told(self, keys: RunKeys, after: str) -> AsyncGenerator[Sequence[StreamedEvent]]:
        """Yield what is in Redis, and what comes there, until the run is at its end."""
        end: StreamedEvent | None = None
        async with self._bells.on(keys.record, keys.events) as bell:
            while True:
                page = await self._page(keys, after)
                wanted = [one for one in page.events if one.name != END]
                if page.events:
                    # Whether it is the last is known when no other follows: on the next page, where
                    # this one is full.
                    end = page.events[-1] if page.events[-1].name == END else None
                    after = page.events[-1].id
                if page.is_last and end is not None:
                    wanted.append(end)
                if wanted:
                    yield wanted
                if page.is_last:
                    return
                if not page.has_more:
                    await bell.wait()

    async def latest(self, keys: RunKeys, count: int = 1) -> list[StreamedEvent]:
        """Return the latest events, the last first."""
        found = await self._redis.xrevrange(keys.events, count=count)
        return [_event(id_, fields[b"event"], fields[b"data"]) for id_, fields in found]

    async def _page(self, keys: RunKeys, after: str) -> _Page:
        """Read a page once for all who ask for it at the same moment."""
        asked = self._asked.get((keys.events, after))
        if asked is None:
            asked = self._asked[keys.events, after] = asyncio.create_task(self._read(keys, after))
        return await asyncio.shield(asked)

    async def _read(self, keys: RunKeys, after: str) -> _Page:
        # Whoever asks from now on may know of something that this reply will not hold.
        async with self._turns:
            del self._asked[keys.events, after]
            call = ScriptCall(_READ, (keys.record, keys.events), (after, PAGE, _PAGE_BYTES))
            status, more, *parts = await self._driver.ask(call)
        events = [_event(*parts[at : at + 3]) for at in range(0, len(parts), 3)]
        if not status:
            raise RunError(f"The run {keys.run_id} was forgotten while its events were read.")
        return _Page(events, status.decode() in ENDS and not more, bool(more))


def _event(id_: bytes, name: bytes, data: bytes) -> StreamedEvent:
    return StreamedEvent(id_.decode(), name.decode(), data)
