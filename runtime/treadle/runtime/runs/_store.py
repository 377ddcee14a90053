"""The runs of a tenant in Redis: their records, and where each is found."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from treadle.core.errors import UnknownNameError
from treadle.core.usage import Usage
from treadle.memory import thread_root
from treadle.memory.saver import index_key
from treadle.memory.scripts import Pipeline, ScriptCall, driver_of, load_script, script_of
from treadle.runtime.journal import (
    VERSION,
    Entry,
    EntryType,
    Journal,
    JournalError,
    JournalWriter,
    Rest,
    RunKeys,
    from_data,
    lost,
    read_blobs,
    read_entries,
    read_whole,
    split,
    to_data,
)
from treadle.runtime.runs._answers import AnswerStore
from treadle.runtime.runs._feedback import FeedbackStore
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._record import ENDS, FIELDS, NEXT, Accepted, Run, RunStateError, RunStatus
from treadle.runtime.runs._resumption import Resumption
from treadle.runtime.runs._telling import Telling
from treadle.runtime.runs.beginning import Begun, FreeLock, Holder, beginning, begun
from treadle.runtime.runs.ending import Completion, Ended, ending, left_by, told_of

_AT_REST = [pair for pair in NEXT.items() if pair[0] is not RunStatus.RUNNING]
_CANCEL_FROM = [status.value for status, after in _AT_REST if RunStatus.CANCELLED in after]
_AGAIN_FROM = [status.value for status, after in _AT_REST if RunStatus.PENDING in after]
_PAGE = 100
_BEFORE, _METADATA = "before", "metadata"
_INPUT, _REQUEST, _ANSWERS = "input", "request", "answers"

_NOTHING = Rest()
_FIND, _CREATE, _AGAIN, _CANCEL = (
    load_script(str(__package__), name) for name in ("find", "create", "again", "cancel")
)

STOPPED = "It was stopped."
"""What the journal says of a run that somebody stopped."""


class RunStore:
    """The runs of one tenant.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
        keep: how long a run and its journal are kept after they were last written to.
        telling: tells others how runs end.

    Attributes:
        feedback: what people said about runs.
        answers: what clients were answered, in the words of their protocol.
    """

    def __init__(
        self, client: Any, prefix: str, keep: timedelta, telling: Telling | None = None
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._ttl_ms = max(1, int(keep / timedelta(milliseconds=1)))
        self._telling = telling
        self._driver = driver_of(client, "RunStore")
        self.feedback = FeedbackStore(client, keep)
        self.answers = AnswerStore(client, keep)
        self._again = script_of(self._driver, _AGAIN.source)
        self._cancel = client.register_script(_CANCEL.source)
        # One hash tag: the two keys change together, also on a cluster.
        self._order = f"{prefix}{{runs}}:order"
        self._threads = f"{prefix}{{runs}}:threads"

    def keys(self, thread_id: str, run_id: str) -> RunKeys:
        """Return the keys of a run."""
        return RunKeys(thread_root(self._prefix, thread_id), run_id)

    async def create(
        self,
        run: Run,
        given: Any = None,
        *,
        request: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Accept a run; return whether it is new: a known id changes nothing.

        Args:
            run: the run.
            given: what its graph is to be given. It is kept as it is until the run has come to
                its end; the journal has it without secrets.
            request: how it is to be executed; kept as long as ``given``.
            metadata: what the caller wants to find with the run again, without secrets.
        """
        way, record = self.creating(run, given, request=request, metadata=metadata)
        thread_id = (await self._driver.ask(way)).decode()
        if thread_id != run.thread_id:
            if await self._read(run.id, thread_id) is not None:
                return False
            await self._client.hset(self._threads, run.id, run.thread_id)  # That one is gone.
        return bool(await self._driver.ask(record))

    def creating(
        self,
        run: Run,
        given: Any = None,
        *,
        request: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[ScriptCall, ScriptCall]:
        """Return the calls that accept a run whose id is new, in their order; as for `create`."""
        moment = int(run.created.timestamp() * 1000)
        keys = self.keys(run.thread_id, run.id)
        record = {**run.to_hash(), _INPUT: json.dumps(to_data(given), ensure_ascii=False)}
        for name, value in ((_REQUEST, request), (_METADATA, metadata)):
            if value:
                record[name] = json.dumps(to_data(dict(value)), ensure_ascii=False)
        fields = [part for pair in record.items() for part in pair]
        # The way to the run first: a record that nobody finds would be lost.
        way = (self._ttl_ms, run.id, moment, run.thread_id)
        return (
            ScriptCall(_FIND, (self._order, self._threads), way),
            ScriptCall(_CREATE, (keys.record, keys.runs), (self._ttl_ms, run.id, moment, *fields)),
        )

    async def begin(
        self, run: Run, *, is_watched: bool = False, lock: FreeLock | None = None
    ) -> Begun:
        """Begin an attempt of the run; earlier ones can write no more.

        Args:
            run: the run as it was read last: the attempt follows the one it knows of.
            is_watched: whether the beginning is told among the run's events.
            lock: the thread's lock, where it is to be taken with it. Where somebody else holds it,
                nothing begins, and the number is 0.

        Raises:
            RunStateError: the run's status does not allow it, or another attempt has begun since
                it was read.
            UnknownNameError: the run is gone.
        """
        how = self.beginning(run, is_watched=is_watched, lock=lock)
        return begun(run, await self._driver.ask(how))

    def beginning(
        self, run: Run, *, is_watched: bool, lock: FreeLock | None, holder: Holder | None = None
    ) -> ScriptCall:
        """Return the call that begins an attempt; for what each is see `beginning.beginning`."""
        keys, index = self.keys(run.thread_id, run.id), index_key(self._prefix, run.thread_id)
        how = (run, keys, index, self._ttl_ms)
        return beginning(*how, is_watched=is_watched, lock=lock, holder=holder)

    def writer(self, run: Run, attempt: int) -> JournalWriter:
        """Return what writes the journal of an attempt."""
        return JournalWriter(self._driver, self.keys(run.thread_id, run.id), attempt, self._ttl_ms)

    async def finish(
        self,
        run: Run,
        attempt: int,
        status: RunStatus,
        entry: tuple[EntryType, Mapping[str, Any]],
        *,
        usage: Usage,
        error: str = "",
        rest: Rest = _NOTHING,
        events: Sequence[tuple[str, bytes]] = (),
        lock: FreeLock | None = None,
        completion: Completion | None = None,
    ) -> Ended:
        """End an attempt: write its last entry and the run's new status, together.

        Args:
            run: the run.
            attempt: its attempt.
            status: what becomes of it.
            entry: the last entry of its journal.
            usage: what it used.
            error: why it failed.
            rest: entries that come before the last.
            events: what it streamed last.
            lock: the thread's lock, where it is given back with it.
            completion: takes the run out of the queue, in the same round trip.

        Raises:
            FencedError: the attempt no longer holds the thread.
        """
        left = left_by(run, attempt, status, usage, error)
        how = (left, self.keys(run.thread_id, run.id), self._ttl_ms, entry)
        end = ending(*how, rest=rest, events=events, lock=lock)
        calls = (end, completion.call) if completion else (end,)
        told = await self._about_to_end(replace(run, usage=usage), attempt, status, entry[1])
        reply, *said = await self._driver.ask(Pipeline(calls, in_order=True))
        if completion:
            completion.said = said[0]
        if reply[0] != b"ok":
            raise lost(run.id, attempt, reply[1].decode() if len(reply) > 1 else "nobody")
        await self._ended(told)
        return Ended(left, told_of(left, events, reply[1:]))

    async def cancel(self, run: Run) -> bool:
        """Stop a run that no attempt is at work on: one that has not begun, or waits.

        Args:
            run: the run as it was read; when another attempt has begun since, nothing changes.

        Returns:
            Whether it was stopped.
        """
        keys = self.keys(run.thread_id, run.id)
        details = {"error": STOPPED, "status": RunStatus.CANCELLED.value}
        data = json.dumps(details)
        ended = json.dumps(datetime.now(UTC).isoformat(timespec="milliseconds"))
        arguments: list[Any] = [self._ttl_ms, run.attempt, EntryType.RUN_FAILED.value, data]
        arguments += [len(_CANCEL_FROM), *_CANCEL_FROM]
        arguments += ["status", RunStatus.CANCELLED.value, "ended", ended, "error", STOPPED]
        told = await self._about_to_end(run, run.attempt, RunStatus.CANCELLED, details)
        changed = [keys.record, keys.entries, keys.runs, keys.events]
        is_stopped = bool(await self._cancel(changed, arguments))
        if is_stopped:
            await self._ended(told)
        return is_stopped

    async def _about_to_end(
        self, run: Run, attempt: int, status: RunStatus, details: Mapping[str, Any]
    ) -> Sequence[Any]:
        if self._telling is None or not self._telling.is_needed or status not in ENDS:
            return ()
        record = self.keys(run.thread_id, run.id).record
        metadata, request = await self._client.hmget(record, [_METADATA, _REQUEST])
        about = from_data(json.loads(metadata)) if metadata else {}
        options = from_data(json.loads(request)).get("options", {}) if request else {}
        hook = options.get("webhook")
        return await self._telling.prepare(run, attempt, status, details, about, webhook=hook)

    async def _ended(self, told: Sequence[Any]) -> None:
        if self._telling is not None and told:
            await self._telling.confirm(told)

    async def again(self, run: Run, resumption: Resumption) -> bool:
        """Let a run that waits, failed or was stopped be taken up again.

        Args:
            run: the run as it was read; when another attempt has begun since, nothing changes.
            resumption: what it goes on with.

        Returns:
            Whether it waits to be taken up now.
        """
        keys = self.keys(run.thread_id, run.id)
        text = json.dumps(resumption.to_data(), ensure_ascii=False)
        arguments = [self._ttl_ms, run.attempt, text, len(_AGAIN_FROM), *_AGAIN_FROM]
        return bool(await self._again([keys.record, keys.runs], arguments))

    async def change_options(self, run: Run, options: RunOptions) -> None:
        """Say how a run's graph is executed from its next attempt on."""
        record = self.keys(run.thread_id, run.id).record
        known = json.loads(await self._client.hget(record, _REQUEST) or "{}")
        following = options.after(from_data(known.get("options", {})))
        changed = {**known, "options": to_data(following.to_dict())}
        await self._client.hset(record, _REQUEST, json.dumps(changed, ensure_ascii=False))

    async def remove(self, run: Run) -> None:
        """Remove a run that is at its end, with its journal and its events.

        Raises:
            RunStateError: it is not.
        """
        if run.status not in ENDS:
            raise RunStateError(f"The run {run.id} is {run.status}.", hint="Stop it first.")
        await self._client.unlink(*self.keys(run.thread_id, run.id).beside)
        await self.discard(run)

    async def discard(self, run: Run) -> None:
        """Remove a run that was not accepted after all."""
        keys = self.keys(run.thread_id, run.id)
        await self._client.unlink(keys.record)
        await self._client.zrem(keys.runs, run.id)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(self._order, run.id)
            pipe.hdel(self._threads, run.id)
            await pipe.execute()

    async def accepted(self, run_id: str, thread_id: str) -> Accepted | None:
        """Return a run of a thread with what it is to be executed with; ``None`` if it is gone.

        Raises:
            JournalError: its record is damaged.
        """
        names = (*FIELDS, _INPUT, _REQUEST, _ANSWERS)
        texts = await self._client.hmget(self.keys(thread_id, run_id).record, names)
        found = dict(zip(names, texts, strict=True))
        if found["status"] is None:
            return None
        given, request, kept = (
            from_data(json.loads(found.pop(name) or "null"))
            for name in (_INPUT, _REQUEST, _ANSWERS)
        )
        resumption = None if kept is None else Resumption.from_data(kept)
        return Accepted(Run.from_hash(run_id, found), given, request or {}, resumption)

    async def metadata(self, run: Run) -> Mapping[str, Any]:
        """Return what the caller wanted to find with the run again."""
        text = await self._client.hget(self.keys(run.thread_id, run.id).record, _METADATA)
        return {} if text is None else cast("Mapping[str, Any]", from_data(json.loads(text)))

    async def get(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            UnknownNameError: there is no such run, or it is no longer kept.
            JournalError: its record is damaged.
        """
        found = await self.find(run_id)
        if found is None:
            known = [run.id async for run in self.newest(10)]
            raise UnknownNameError("run", run_id, known, hint="'treadle runs list' shows them.")
        return found

    async def find(self, run_id: str, thread_id: str | None = None) -> Run | None:
        """Return a run, or ``None``; raises `JournalError` as `get`.

        Args:
            run_id: the run.
            thread_id: its thread, where that is known: it spares a round trip.
        """
        if thread_id is not None:
            return await self._read(run_id, thread_id)
        thread = await self._client.hget(self._threads, run_id)
        return await self._read(run_id, thread.decode()) if thread is not None else None

    async def newest(self, limit: int, *, status: RunStatus | None = None) -> AsyncIterator[Run]:
        """Yield the runs accepted last, newest first."""
        await self._drop_expired()
        start, left = 0, limit
        while left > 0:
            ids = await self._client.zrevrange(self._order, start, start + _PAGE - 1)
            if not ids:
                return
            start += len(ids)
            threads = await self._client.hmget(self._threads, ids)
            for run_id, thread in zip(ids, threads, strict=True):
                run = await self._read(run_id.decode(), thread.decode()) if thread else None
                if run is not None and status in (None, run.status):
                    yield run
                    left -= 1
                    if left == 0:
                        return

    async def starting_with(self, beginning: str) -> list[str]:
        """Return the ids that begin so; all of the tenant's ids are looked through."""
        await self._drop_expired()
        pattern = re.sub(r"([*?\[\]^\\-])", r"\\\1", beginning)
        found = self._client.hscan_iter(self._threads, match=f"{pattern}*", count=_PAGE)
        return [run_id.decode() async for run_id, _ in found]

    async def of_thread(self, thread_id: str, last: int = 0) -> list[Run]:
        """Return the runs of a thread, oldest first; only so many of the ``last`` where given."""
        ids = await self._client.zrange(self.keys(thread_id, "").runs, -last, -1)
        found = [await self._read(run_id.decode(), thread_id) for run_id in ids]
        return [run for run in found if run is not None]

    async def interrupts(self, run: Run) -> list[Mapping[str, Any]]:
        """Return what an interrupted run waits for, each with its ``id`` and ``value``."""
        if run.status is not RunStatus.INTERRUPTED:
            return []
        entries, end = self.keys(run.thread_id, run.id).entries, "+"
        while page := await self._client.xrevrange(entries, end, count=_PAGE):
            for id_, fields in page:
                # It need not be the last: a call that was under way may have ended since.
                if fields[b"type"].decode() == EntryType.RUN_INTERRUPTED:
                    before = f"{int(id_.split(b'-')[0]) - 1}"
                    told = [one async for one in self.entries(run, before)]
                    [asks] = [one.data for one in told if one.id == id_.decode()]
                    return list(asks.get("interrupts", ()))
            end = f"({page[-1][0].decode()}"
        return []

    async def journal(self, run: Run) -> Journal:
        """Return a run's journal, whole.

        Raises:
            JournalError: it is damaged or of a version that this program does not read.
        """
        keys = self.keys(run.thread_id, run.id)
        entries = await read_whole(self._client, keys)
        blobs = await read_blobs(self._client, keys)
        blobs.pop(_BEFORE, None)
        return Journal(run.to_dict(), entries, blobs)

    async def stopped_early(self, run: Run) -> str:
        """Return why a run ended with what it knew until then; empty where it did not."""
        last = await self._client.xrevrange(self.keys(run.thread_id, run.id).entries, count=1)
        if run.status is not RunStatus.SUCCESS or not last:
            return ""
        before = f"{int(last[0][0].split(b'-')[0]) - 1}"
        ended = [one.data async for one in self.entries(run, before)][-1]
        return str((ended.get("reply") or {}).get("stopped", ""))

    async def before(self, run: Run) -> Mapping[str, Any] | None:
        """Return the state a run began in, where `keep_before` kept it."""
        text = await self._client.hget(self.keys(run.thread_id, run.id).blobs, _BEFORE)
        return None if text is None else cast("Mapping[str, Any]", json.loads(text))

    async def given(self, run: Run) -> Any:
        """Return what the run's graph is to be given.

        Raises:
            JournalError: it is no longer kept: the run came to its end.
        """
        text = await self._client.hget(self.keys(run.thread_id, run.id).record, _INPUT)
        if text is None:
            raise JournalError(f"What the run {run.id} was given is no longer kept.")
        return from_data(json.loads(text))

    async def keep_before(self, run: Run, before: Mapping[str, Any] | None) -> None:
        """Keep the state a run begins in with its journal: its thread will not hold it."""
        keys = self.keys(run.thread_id, run.id)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(keys.blobs, _BEFORE, json.dumps(before))
            pipe.pexpire(keys.blobs, self._ttl_ms)
            await pipe.execute()

    async def put(self, run: Run, journal: Journal, before: Mapping[str, Any] | None) -> bool:
        """Keep a run with its journal as they are; return whether it is new."""
        keys = self.keys(run.thread_id, run.id)
        if not await self.create(run):
            return False
        blobs = dict(journal.blobs)
        async with self._client.pipeline(transaction=True) as pipe:
            for entry in journal.entries:
                fields: dict[Any, Any] = {
                    "version": VERSION,
                    "type": entry.type,
                    "attempt": entry.attempt,
                    "data": json.dumps(split(entry.data, blobs), ensure_ascii=False),
                }
                pipe.xadd(keys.entries, fields, id=entry.id)
            if blobs:
                pipe.hset(keys.blobs, mapping=blobs)
            for key in (keys.entries, keys.blobs):
                pipe.pexpire(key, self._ttl_ms)
            await pipe.execute()
        await self.keep_before(run, before)
        return True

    def entries(self, run: Run, after: str = "0") -> AsyncIterator[Entry]:
        """Yield the entries of a run's journal after the id ``after``, oldest first."""
        return read_entries(self._client, self.keys(run.thread_id, run.id), after)

    async def forget_thread(self, thread_id: str) -> list[str]:
        """Remove the runs of a thread with their journals; return their ids."""
        runs, fence = self.keys(thread_id, "").runs, self.keys(thread_id, "").fence
        ids = [run_id.decode() for run_id in await self._client.zrange(runs, 0, -1)]
        unlink, each = self._client.unlink, (self.keys(thread_id, run_id) for run_id in ids)
        await asyncio.gather(*(unlink(keys.record, *keys.beside) for keys in each))
        if ids:
            drop, lose = self._client.zrem, self._client.hdel
            await asyncio.gather(drop(self._order, *ids), lose(self._threads, *ids))
            # What names them last, and them alone: a run that was accepted meanwhile is found.
            await drop(runs, *ids)
        await unlink(fence)
        return ids

    async def _read(self, run_id: str, thread_id: str) -> Run | None:
        texts = await self._client.hmget(self.keys(thread_id, run_id).record, FIELDS)
        if texts[0] is None:
            return None
        return Run.from_hash(run_id, dict(zip(FIELDS, texts, strict=True)))

    async def _drop_expired(self) -> None:
        """Drop runs from the order whose records have expired; a hash field cannot by itself."""
        oldest = int(time.time() * 1000) - self._ttl_ms
        ids = await self._client.zrangebyscore(self._order, "-inf", oldest, start=0, num=_PAGE)
        gone = [run_id for run_id in ids if not await self._is_kept(run_id)]
        if gone:
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.zrem(self._order, *gone)
                pipe.hdel(self._threads, *gone)
                await pipe.execute()

    async def _is_kept(self, run_id: bytes) -> bool:
        thread = await self._client.hget(self._threads, run_id)
        keys = self.keys(thread.decode(), run_id.decode()) if thread else None
        return keys is not None and bool(await self._client.exists(keys.record))
