"""A run's journal in Redis: one stream of entries, and the long texts they refer to."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from redis.exceptions import ResponseError

from treadle.core.errors import FencedError, RedisError
from treadle.memory.scripts import Driver, script_of
from treadle.runtime.journal._entries import VERSION, Entry, EntryType, as_text, joined
from treadle.runtime.journal._errors import JournalError, lost

FLUSH_SECONDS = 0.05
"""How long entries that nobody's safety rests on may wait to be written together."""

KEEP_EVENTS_MS = 24 * 3_600 * 1_000
"""How long what a run streamed can be read after the last of it was written."""

PAGE = 500
_APPEND = (files(str(__package__)) / "lua" / "append.lua").read_text()


@dataclass(frozen=True, slots=True)
class RunKeys:
    """The keys of one run; they share the hash tag of its thread.

    Attributes:
        thread: what all keys of the thread begin with.
        run_id: the run.
    """

    thread: str
    run_id: str

    @property
    def fence(self) -> str:
        """Who may write to the thread: ``<run id>/<attempt>``."""
        return f"{self.thread}:fence"

    def token(self, attempt: int) -> str:
        """What the fence holds while an attempt of this run has the thread."""
        return f"{self.run_id}/{attempt}"

    @property
    def runs(self) -> str:
        """The runs of the thread, by when they were made."""
        return f"{self.thread}:runs"

    @property
    def record(self) -> str:
        """What is known of the run: a hash."""
        return f"{self.thread}:run:{self.run_id}"

    @property
    def entries(self) -> str:
        """Its journal: a stream."""
        return f"{self.record}:entries"

    @property
    def feedback(self) -> str:
        """What people said about it: a hash."""
        return f"{self.record}:feedback"

    @property
    def beside(self) -> tuple[str, ...]:
        """What is kept beside the run's record, and goes with it."""
        return self.entries, self.blobs, self.events, self.marks, self.feedback, self.answers

    @property
    def answers(self) -> str:
        """What a client was answered, in the words of its protocol: a hash."""
        return f"{self.record}:answers"

    @property
    def blobs(self) -> str:
        """The long texts of its journal: a hash."""
        return f"{self.record}:blobs"

    @property
    def events(self) -> str:
        """What is streamed of it while it runs: a stream."""
        return f"{self.record}:events"

    @property
    def marks(self) -> str:
        """Places in what is streamed, by the numbers of what was told up to them: a sorted set."""
        return f"{self.record}:marks"


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a journal is not written yet.

    Attributes:
        entries: types and data, as texts, in their order.
        blobs: the long texts in them.
    """

    entries: Sequence[tuple[str, str]] = ()
    blobs: Mapping[str, str] = field(default_factory=dict)


class JournalWriter:
    """Appends entries to a run's journal in the order they are given.

    Entries given to `note` are written within `FLUSH_SECONDS`, or with the next `write`; `write`
    returns when Redis has them.

    Args:
        driver: the way to Redis.
        keys: the run's keys.
        attempt: the attempt that writes; the fence must hold it.
        ttl_ms: how long the journal lives after it was last written to.
    """

    def __init__(self, driver: Driver, keys: RunKeys, attempt: int, ttl_ms: int) -> None:
        self._append = script_of(driver, _APPEND)
        self._keys = keys
        self._attempt = attempt
        self._ttl_ms = ttl_ms
        self._waiting: list[tuple[EntryType, Mapping[str, Any]]] = []
        self._blobs: dict[str, str] = {}
        self._written: set[str] = set()
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    @property
    def token(self) -> str:
        """What the thread's fence must hold for this attempt to write."""
        return self._keys.token(self._attempt)

    def blob(self, name: str, text: str) -> None:
        """Keep a text with the journal, once, with the entry that is given next."""
        if name not in self._written:
            self._blobs[name] = text

    def note(self, type: EntryType, data: Mapping[str, Any]) -> None:  # noqa: A002
        """Add an entry soon."""
        self._waiting.append((type, data))
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(FLUSH_SECONDS, self._start_flush)

    async def write(self, type: EntryType, data: Mapping[str, Any]) -> None:  # noqa: A002
        """Add an entry now, after all that were given before.

        Raises:
            FencedError: another attempt, or another run, holds the thread by now.
            RedisError: Redis could not be reached or refused.
        """
        self._waiting.append((type, data))
        await self.flush()

    async def flush(self) -> None:
        """Write what waits; raises as `write`."""
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            if self._waiting:
                await self._send()

    async def rest(self) -> "Rest":
        """Take what waits, to be written with the attempt's end; raises as `write`."""
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            return self._taken()

    async def aclose(self) -> None:
        """Let go of the timer, and write what waits if that is still possible."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await asyncio.gather(self._flushing, return_exceptions=True)
        if self._failure is None:
            try:
                await self.flush()
            except (FencedError, RedisError):
                return  # Nothing anybody's safety rests on is only noted.

    def _start_flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.ensure_future(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        try:
            await self.flush()
        except (FencedError, RedisError) as error:
            self._failure = error  # The next write raises it, where somebody can act on it.

    def _taken(self) -> "Rest":
        if self._timer is not None:  # Nothing waits any more; what comes next has its own time.
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        blobs, self._blobs = self._blobs, {}
        entries = [(kind.value, as_text(data, blobs)) for kind, data in batch]
        fresh = {name: text for name, text in blobs.items() if name not in self._written}
        return Rest(entries, fresh)

    async def _send(self) -> None:
        rest = self._taken()
        arguments: list[Any] = [self.token, self._ttl_ms, len(rest.entries)]
        for kind, data in rest.entries:
            arguments += (kind, self._attempt, data)
        arguments += (part for pair in rest.blobs.items() for part in pair)
        keys = self._keys
        try:
            reply = await self._append(
                [keys.fence, keys.record, keys.entries, keys.blobs], arguments
            )
        except RedisError as error:
            raise RedisError(
                f"The journal of the run {keys.run_id} could not be written: {error.message}",
                hint="Resume the run when Redis answers again.",
            ) from error
        if reply[0] != b"ok":
            raise lost(keys.run_id, self._attempt, reply[1].decode())
        self._written |= rest.blobs.keys()


async def read_entries(client: Any, keys: RunKeys, after: str = "0") -> AsyncIterator[Entry]:
    """Yield a journal's entries after the id ``after``, oldest first, with their long texts.

    Raises:
        JournalError: an entry is damaged or of a version that this program does not read.
    """
    while True:
        page = await client.xrange(keys.entries, min=f"({after}", count=PAGE)
        if not page:
            return
        parsed = [_parse(entry_id, fields) for entry_id, fields in page]
        wanted = sorted({name for entry in parsed for name in _blobs_in(entry.data)})
        texts = await read_blobs(client, keys, wanted)
        for entry in parsed:
            yield Entry(entry.id, entry.type, entry.attempt, joined(dict(entry.data), texts))
        after = parsed[-1].id


async def read_whole(client: Any, keys: RunKeys) -> tuple[Entry, ...]:
    """Return all of a journal's entries, and see that none was taken out.

    Raises:
        JournalError: an entry is missing, damaged or of a version that this program does not read.
    """
    try:  # Asked first: what is written meanwhile is more, never less.
        told = await client.xinfo_stream(keys.entries)
    except ResponseError:  # There is none, or this user may not ask.
        told = {}
    entries = tuple([entry async for entry in read_entries(client, keys)])
    last = _number(told.get("last-generated-id", b"0-0").decode())
    is_cut_off = last > (_number(entries[-1].id) if entries else (0, 0))
    if is_cut_off or len(entries) < told.get("entries-added", 0):  # Redis 6.2 does not count.
        raise JournalError(
            f"Entries of the journal of the run {keys.run_id} are missing"
            + (" at its end." if is_cut_off else "."),
            hint="It was changed by something else. Ask again, on a new thread.",
        )
    return entries


def _number(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


async def read_blobs(
    client: Any, keys: RunKeys, names: Sequence[str] | None = None
) -> dict[str, str]:
    """Return long texts of a journal by name; all of them where no names are given."""
    if names is None:
        found = await client.hgetall(keys.blobs)
        return {name.decode(): text.decode() for name, text in found.items()}
    if not names:
        return {}
    texts = await client.hmget(keys.blobs, names)
    return {n: text.decode() for n, text in zip(names, texts, strict=True) if text is not None}


def _parse(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    place = entry_id.decode()
    try:
        version = int(fields[b"version"])
        kind, attempt = fields[b"type"].decode(), int(fields[b"attempt"])
        data = json.loads(fields[b"data"])
        if not isinstance(data, dict):
            raise ValueError(f"data is a {type(data).__name__}")
    except (KeyError, ValueError) as problem:
        raise JournalError(f"The journal entry {place} is damaged: {problem}.") from None
    check_version(version, f"The journal entry {place}")
    return Entry(place, kind, attempt, data)


def check_version(version: int, what: str) -> None:
    """Refuse what a newer program wrote.

    Raises:
        JournalError: it is of a newer version.
    """
    if version > VERSION:
        raise JournalError(
            f"{what} is of version {version}; this program reads up to {VERSION}.",
            hint="Upgrade Treadle.",
        )


def _blobs_in(data: Any) -> list[str]:
    if isinstance(data, list):
        return [name for item in data for name in _blobs_in(item)]
    if not isinstance(data, Mapping):
        return []
    if data.keys() == {"$blob"}:
        return [str(data["$blob"])]
    return [name for item in data.values() for name in _blobs_in(item)]
