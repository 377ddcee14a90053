"""The conversations of a tenant: listing, reading, exporting and forgetting them."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from treadle.core.errors import InputError, UnknownNameError
from treadle.memory.bundle import Memory
from treadle.memory.scripts import ScriptCall, driver_of, load_script
from treadle.memory.transcript import (
    Page,
    Said,
    Turn,
    export_json,
    export_markdown,
    plain_turn,
    plain_turns,
)
from treadle.runtime.citations import Evidence, check

PAGE = 200
"""How many messages are shown unless another number is asked for."""
EVIDENCE_MESSAGES = 100
"""How many messages before an answer it may cite the sources of."""
_TITLE_CHARS = 80
_ASKED = load_script(str(__package__), "asked")
_MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation, as it is listed.

    Attributes:
        id: its id.
        agent: the agent that was asked last.
        title: the beginning of the first question.
        created: when it began, ISO 8601, UTC.
        updated: when it was last asked on.
        turns: how many questions were asked.
    """

    id: str
    agent: str
    title: str
    created: str
    updated: str
    turns: int


def check_thread_id(thread_id: str) -> str:
    """Return a thread's id as it is.

    Raises:
        InputError: when it is empty, longer than 200 characters, holds control characters, or
            cannot be part of an address, as over HTTP it has to be.
    """
    if not thread_id.strip():
        raise InputError("The thread id is empty.", hint="Leave it out to begin a new thread.")
    if len(thread_id) > _MAX_ID_CHARS:
        raise InputError(
            f"The thread id has {len(thread_id)} characters; at most {_MAX_ID_CHARS} are allowed."
        )
    if not thread_id.isprintable():
        raise InputError(f"The thread id {thread_id!r} holds control characters.")
    if "/" in thread_id or thread_id in {".", ".."}:  # No route would find it again.
        raise InputError(
            f"The thread id {thread_id!r} holds '/', or is '.' or '..': it cannot be part of an "
            "address.",
            hint="Use another character, such as ':' or '-'.",
        )
    return thread_id


class Threads:
    """The conversations of one tenant.

    Args:
        redis: the connection to Redis.
        prefix: the tenant's key prefix.
        memory: what is kept of them.
        keep: how long a thread is kept after it was last asked on; ``None`` for ever.
    """

    def __init__(
        self, redis: Any, prefix: str, memory: Memory, keep: timedelta | None = None
    ) -> None:
        self._redis = redis
        self._driver = driver_of(redis, "Threads")
        self._memory = memory
        self._keep = keep
        # One hash tag: the two keys change together, also on a cluster.
        self._order_key = f"{prefix}{{threads}}:order"
        self._info_key = f"{prefix}{{threads}}:info"
        self._owners_key = f"{prefix}{{threads}}:owners"

    async def note_question(self, thread_id: str, agent: str, question: str) -> None:
        """Record that the thread was asked something."""
        await self._driver.ask(self.noting(thread_id, agent, question))

    def noting(self, thread_id: str, agent: str, question: str) -> ScriptCall:
        """Return the call that records that the thread was asked something."""
        now = datetime.now(UTC)
        new = json.dumps({"title": _title(question), "created": _iso(now)})
        asked = (thread_id, now.timestamp(), new, agent, _iso(now))
        return ScriptCall(_ASKED, (self._info_key, self._order_key), asked)

    async def recent(self, limit: int = 50) -> list[Thread]:
        """Return the threads asked most recently, newest first."""
        await self._drop_expired()
        return await self._listed(0, limit)

    async def find(self, thread_id: str) -> Thread | None:
        """Return a thread as it is listed, or ``None`` when nothing was asked on it."""
        info = await self._redis.hget(self._info_key, thread_id)
        return Thread(id=thread_id, **json.loads(info)) if info else None

    async def newest_first(self) -> AsyncIterator[Thread]:
        """Yield every thread, the one asked last first, a page in memory at a time."""
        await self._drop_expired()
        start = 0
        while found := await self._listed(start, PAGE):
            for thread in found:
                yield thread
            start += PAGE

    async def _listed(self, start: int, count: int) -> list[Thread]:
        ids = await self._redis.zrevrange(self._order_key, start, start + count - 1)
        if not ids:
            return []
        infos = await self._redis.hmget(self._info_key, ids)
        return [
            Thread(id=key.decode(), **json.loads(info))
            for key, info in zip(ids, infos, strict=True)
            if info
        ]

    async def _drop_expired(self) -> None:
        """Drop threads that have expired from the list; their own keys expire by themselves."""
        if self._keep is None:
            return
        oldest = (datetime.now(UTC) - self._keep).timestamp()
        gone = await self._redis.zrangebyscore(self._order_key, "-inf", oldest, start=0, num=1_000)
        if gone:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(self._info_key, *gone)
                pipe.hdel(self._owners_key, *gone)
                pipe.zrem(self._order_key, *gone)
                await pipe.execute()

    async def page(
        self,
        thread_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> Page:
        """Return some of the thread's messages as LangChain holds them, oldest first.

        Args:
            thread_id: the thread.
            after: read the messages that follow this number; ``-1`` for the first ones.
            before: read the messages in front of this number. Without either, the latest.
            limit: how many at most, up to 1,000.

        Raises:
            InputError: the limit is out of bounds, or both ends are given.
            UnknownNameError: there is no such thread.
        """
        await self._catch_up(thread_id)
        return await self._memory.transcript.page(
            thread_id, after=after, before=before, limit=limit
        )

    async def show(
        self,
        thread_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> list[Turn]:
        """Return what was said on the thread, oldest first; arguments as for `page`.

        Raises:
            InputError: the limit is out of bounds, or both ends are given.
            UnknownNameError: there is no such thread.
        """
        page = await self.page(thread_id, after=after, before=before, limit=limit)
        earlier = await self._memory.transcript.page(
            thread_id, before=page.first, limit=EVIDENCE_MESSAGES
        )
        return Cited(said.message for said in earlier.messages)(page.messages)

    async def search(self, thread_id: str, query: str, limit: int = 20) -> list[Turn]:
        """Return the latest messages that hold every word of the query, newest first.

        It reads the thread backwards until it has found enough, in the end all of it.

        Raises:
            InputError: the query has no word.
            UnknownNameError: there is no such thread.
        """
        await self._catch_up(thread_id)
        return plain_turns(await self._memory.transcript.search(thread_id, query, limit))

    async def export_json(self, thread_id: str) -> AsyncIterator[str]:
        """Yield the whole thread as pieces of JSON, a page in memory at a time.

        Raises:
            UnknownNameError: there is no such thread.
        """
        await self._catch_up(thread_id)
        info = await self._redis.hget(self._info_key, thread_id)
        about = json.loads(info) if info else {}
        async for piece in export_json(
            self._memory.transcript, thread_id, about=about, render=Cited()
        ):
            yield piece

    async def export_markdown(self, thread_id: str) -> AsyncIterator[str]:
        """Yield the whole thread as pieces of Markdown, a page in memory at a time.

        Raises:
            UnknownNameError: there is no such thread.
        """
        await self._catch_up(thread_id)
        async for piece in export_markdown(self._memory.transcript, thread_id, render=Cited()):
            yield piece

    async def check(self, thread_id: str) -> None:
        """See that there is a thread.

        Raises:
            UnknownNameError: there is none.
        """
        if not await self._redis.hexists(self._info_key, thread_id):
            await self._catch_up(thread_id)

    async def drop(self, thread_id: str) -> int:
        """Remove a thread on which nothing is kept any more; return whether there was one."""
        removed, *_ = await asyncio.gather(
            self._redis.hdel(self._info_key, thread_id),
            self._redis.hdel(self._owners_key, thread_id),
            self._redis.zrem(self._order_key, thread_id),
        )
        return int(removed)

    def new_id(self) -> str:
        """Return an id that no thread has."""
        return uuid.uuid4().hex

    async def exists(self, thread_id: str) -> bool:
        """Return whether anything was said on a thread."""
        try:
            await self.check(thread_id)
        except UnknownNameError:
            return False
        return True

    async def claim(self, thread_id: str, owner: str) -> bool:
        """Make a thread that is nobody's somebody's; return whether it is theirs now.

        Raises:
            InputError: no thread can have that id.
        """
        check_thread_id(thread_id)
        if await self._redis.hsetnx(self._owners_key, thread_id, owner):
            return True
        [found] = await self.owners([thread_id])
        return found == owner

    async def owners(self, thread_ids: Sequence[str]) -> list[str | None]:
        """Return whose each thread is, ``None`` for nobody's."""
        if not thread_ids:
            return []
        found = await self._redis.hmget(self._owners_key, list(thread_ids))
        return [owner.decode() if owner is not None else None for owner in found]

    async def disown(self, thread_id: str) -> None:
        """Make a thread nobody's again, on which nothing was said."""
        await self._redis.hdel(self._owners_key, thread_id)

    async def _catch_up(self, thread_id: str) -> None:
        """Note what a run said that was killed before it could, and see whether there is a thread.

        Raises:
            UnknownNameError: there is none.
        """
        config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        found = await self._memory.saver.aget_tuple(config)
        if found is not None:
            values = found.checkpoint["channel_values"]
            await self._memory.note(thread_id, values.get("messages", ()))
        elif not await self._memory.transcript.count(thread_id) and not await self._redis.hexists(
            self._info_key, thread_id
        ):  # It was asked nothing either: a run that never began leaves neither.
            raise await self._unknown(thread_id)

    async def _unknown(self, thread_id: str) -> UnknownNameError:
        known = [thread.id for thread in await self.recent(10)]
        return UnknownNameError("thread", thread_id, known)


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1]}…"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


class Cited:
    """Makes turns of messages, page after page, with what they cite.

    Args:
        earlier: messages before the first page; what tools returned in them can be cited.
    """

    def __init__(self, earlier: Iterable[BaseMessage] = ()) -> None:
        self._known = list(earlier)

    def __call__(self, page: Sequence[Said]) -> list[Turn]:
        """Return the messages of a page as turns."""
        self._known = [*self._known[-EVIDENCE_MESSAGES:], *(said.message for said in page)]
        return [self._turn(said) for said in page]

    def _turn(self, said: Said) -> Turn:
        turn = plain_turn(said)
        if not isinstance(said.message, AIMessage):
            return turn
        checked = check(said.message.text, Evidence.of(self._known, said.message))
        listed = tuple(
            f"[{c.number}] {c.source.title}, {c.source.uri} {c.source.locator}".rstrip()
            for c in checked.citations
        )
        return replace(turn, text=checked.text, sources=listed)
