"""`Transcript`: everything that was said on a thread, for as long as the thread is kept."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import BaseMessage

from treadle.core.errors import ConfigError, InputError
from treadle.memory._cipher import AesGcmCipher
from treadle.memory._codec import Codec, naming
from treadle.memory._drivers import AsyncClient, SyncClient, driver_of
from treadle.memory._keys import checked_id, checked_prefix
from treadle.memory._lua import ScriptCall
from treadle.memory._said import said_at, said_by, stamped
from treadle.memory.saver import StrictSerializer
from treadle.memory.transcript import _scripts as scripts

MAX_PAGE = 1_000
PAGE_BYTES = 4 << 20
PAGE = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a transcript.

    Attributes:
        number: its place, counted from 0; it never changes.
        at: when it was said, or else when it was first added, UTC.
        by: who said it: the message's ``name``, else ``user``, ``assistant`` or its type.
        message: the message, which carries ``at`` as `said_at` reads it.
    """

    number: int
    at: datetime
    by: str
    message: BaseMessage


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a transcript.

    Attributes:
        messages: in the order in which they were said.
        total: how many messages the whole transcript holds.
        end: the number of the next message that is said.
    """

    messages: tuple[Said, ...]
    total: int
    end: int

    @property
    def first(self) -> int:
        """The number to read ``before`` for the page in front of this one."""
        return self.messages[0].number if self.messages else 0


class Transcript:
    """What was said on each thread, in full and in order, in Redis (6.2 or later; no modules).

    A graph's state may lose old messages to keep a turn's cost flat; the transcript keeps them.
    Adding costs one round trip, whatever the length of the thread; what is stored is data only,
    encrypted where there is a cipher.

    Args:
        client: a redis-py client of any kind; it is not closed.
        prefix: what every key begins with.
        ttl: how long a transcript lives after it was last added to; for ever when ``None``.
        cipher: encrypts the messages.

    Raises:
        InputError: ``client`` is not a redis-py client.
        ConfigError: the prefix or the ttl cannot be used.

    All methods raise:
        InputError: the thread's id cannot be used.
        RedisError: Redis could not be reached or refused the command.
    """

    def __init__(
        self,
        client: SyncClient | AsyncClient,
        *,
        prefix: str = "treadle:main:",
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
    ) -> None:
        if ttl is not None and ttl <= timedelta(0):
            raise ConfigError(f"The ttl of {ttl} is not positive.", hint="Use None for ever.")
        self._driver = driver_of(client, "Transcript")
        self._prefix = checked_prefix(prefix)
        self._ttl_ms = int(ttl.total_seconds() * 1000) if ttl else 0
        self._codec = Codec(StrictSerializer(), cipher)

    async def add(self, thread_id: str, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Append messages; one that is known by its id keeps its place and gets the new body.

        So it may be called again with the same messages, after a crash for one.

        Returns:
            The messages, each stamped with when it was said, or else first added.

        Raises:
            InputError: a message has no id or cannot be stored.
        """
        keys = self._keys(thread_id)
        if not messages:
            return []
        now = datetime.now(UTC)
        entries = [self._entry(message, now) for message in messages]
        _, *stamps = await self._run(scripts.add(keys, self._ttl_ms, entries, ""))
        return [
            stamped(message, _moment(stamp))
            for message, stamp in zip(messages, stamps, strict=True)
        ]

    async def add_since(
        self, thread_id: str, messages: Sequence[BaseMessage], mark: str
    ) -> str | None:
        """Append messages as `add` does, if all that was done since ``mark`` is appending.

        So whoever knows what a transcript held at a mark need not add that again.

        Args:
            thread_id: the thread.
            messages: the messages.
            mark: what this returned before; ``""`` appends in any case.

        Returns:
            The transcript's mark by now; ``None`` where it was changed, and nothing was appended.

        Raises:
            InputError: as `add`.
        """
        now = datetime.now(UTC)
        entries = [self._entry(message, now) for message in messages]
        reply = await self._run(scripts.add(self._keys(thread_id), self._ttl_ms, entries, mark))
        return str(reply[0].decode()) if reply else None

    async def page(
        self,
        thread_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> Page:
        """Read some of a thread, oldest first, in one round trip.

        Args:
            thread_id: the thread; one that nothing was said on has an empty page.
            after: read the messages that follow this number; ``-1`` for the first ones.
            before: read the messages in front of this number. Without either, the latest.
            limit: how many at most; fewer come when they are large (4 MB in all).

        Raises:
            InputError: the limit is not between 1 and 1,000, or both ends are given.
            RecordError: a message is damaged or was forged; the others can be read around it.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InputError(f"A page of {limit} messages was asked for, not 1 to {MAX_PAGE}.")
        if after is not None and before is not None:
            raise InputError("A page lies after a message or before one, not both.")
        total, end, *found = await self._run(
            scripts.page(
                self._keys(thread_id),
                "before" if after is None else "after",
                before if after is None else after,
                limit=limit,
                max_bytes=PAGE_BYTES,
            )
        )
        messages = tuple(
            self._said(thread_id, number, entry)
            for number, entry in zip(found[::2], found[1::2], strict=True)
        )
        return Page(messages, total, end)

    async def pages(self, thread_id: str, *, after: int = -1) -> AsyncIterator[Page]:
        """Read a thread to its end, a page at a time, so that memory stays bounded.

        Raises:
            RecordError: as `page`.
        """
        while (page := await self.page(thread_id, after=after)).messages:
            yield page
            after = page.messages[-1].number

    async def read(self, thread_id: str, message_id: str) -> Said | None:
        """Return one message, or ``None`` when the thread holds none of that id.

        Raises:
            RecordError: it is damaged or was forged.
        """
        found = await self._run(scripts.read(self._keys(thread_id), message_id))
        is_there = found and len(found[1]) != scripts.STAMP_CHARS
        return self._said(thread_id, *found) if is_there else None

    async def count(self, thread_id: str) -> int:
        """Return how many messages the thread holds."""
        return (await self.page(thread_id, limit=1)).total

    async def search(self, thread_id: str, query: str, limit: int = 20) -> list[Said]:
        """Return the latest messages that hold every word of the query, newest first.

        It reads the thread backwards until it has found enough: 200 messages in a round trip, and
        in the end all of them. Case does not matter; a word may be part of a longer one.

        Raises:
            InputError: the query has no word, or the limit is less than 1.
            RecordError: as `page`.
        """
        words = query.casefold().split()
        if not words or limit < 1:
            raise InputError(f"There is nothing to find with {query!r} and the limit {limit}.")
        found: list[Said] = []
        before: int | None = None
        while before != 0 and len(found) < limit:
            page = await self.page(thread_id, before=before)
            found += (said for said in reversed(page.messages) if _holds(said, words))
            before = page.first
        return found[:limit]

    async def strike(self, thread_id: str, message_ids: Sequence[str]) -> int:
        """Strike messages out, wherever they stand, and return how many there were.

        The others keep their numbers. Whoever adds one of them again changes nothing, so that a
        reader who knew it before does not bring it back.
        """
        if not message_ids:
            return 0
        return int(await self._run(scripts.strike(self._keys(thread_id), message_ids)))

    async def unsay(self, thread_id: str, message_ids: Sequence[str]) -> int:
        """Take back the latest messages, as far back as all are among the given; return how many.

        What was said before a message that stays is not taken back.
        """
        if not message_ids:
            return 0
        return int(await self._run(scripts.unsay(self._keys(thread_id), message_ids)))

    async def forget(self, thread_id: str) -> int:
        """Remove the thread's transcript and return how many messages it held."""
        return int(await self._run(scripts.forget(self._keys(thread_id))))

    def _keys(self, thread_id: str) -> scripts.Keys:
        return scripts.transcript_keys(self._prefix, checked_id("thread_id", thread_id))

    def _entry(self, message: BaseMessage, now: datetime) -> tuple[str, str, bytes]:
        if not message.id:
            raise InputError(
                f"A message of type {message.type!r} has no id.",
                hint="Messages get one when they enter a graph's state.",
            )
        with naming(f"message {message.id}"):
            return message.id, _stamp(said_at(message) or now), self._codec.dump(message)

    def _said(self, thread_id: str, number: int, entry: bytes) -> Said:
        with naming(f"message {number} of the thread {thread_id!r}"):
            message = self._codec.load(entry[scripts.STAMP_CHARS :])
        moment = _moment(entry[: scripts.STAMP_CHARS])
        message = stamped(message, moment)
        return Said(number, said_at(message) or moment, said_by(message), message)

    async def _run(self, call: ScriptCall) -> Any:
        return await self._driver.ask(call)


def _holds(said: Said, words: Sequence[str]) -> bool:
    text = said.message.text.casefold()
    return all(word in text for word in words)


def _stamp(moment: datetime) -> str:
    return f"{max(0, int(moment.timestamp() * 1000)):013d}\n"


def _moment(stamp: bytes) -> datetime:
    # A forged record may begin with anything.
    milliseconds = int(stamp) if stamp.strip().isdigit() else 0
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
