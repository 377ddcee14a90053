"""Replaying a run that broke off while calls were under way.

A branch failed while others had no answer yet, somebody stopped the run, or its process died. The
answers that never came are in no journal: a replay lets the calls wait for them, as the run did,
until it breaks off at the same place.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from treadle.core.calls import Call, CallKind, Effect, Outcome, Purpose
from treadle.runtime.journal import (
    CallRecord,
    Difference,
    Entry,
    EntryType,
    Journal,
    JournalError,
    Recording,
)

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a replay in which calls wait may do nothing before it is taken for stuck."""

_BEGINS = (EntryType.RUN_STARTED, EntryType.RUN_RESUMED)
_ENDS = (EntryType.RUN_FINISHED, EntryType.RUN_FAILED, EntryType.RUN_INTERRUPTED)


class Ending(StrEnum):
    """How a recorded run ended, as far as a replay of it is concerned."""

    WHOLE = "whole"
    """It came to its end, or waits for a person: every call of it has ended."""
    FAILED = "failed"
    """Its graph failed; other branches of it may have been cut off."""
    STOPPED = "stopped"
    """It was stopped from outside, died, or is under way: it may have gone on anyhow."""


def last_end(journal: Journal) -> Entry | None:
    """Return the entry that tells how the run's last attempt ended by itself, if it did."""
    last = next((one for one in reversed(journal.entries) if one.type in (*_BEGINS, *_ENDS)), None)
    if last is None or last.type not in _ENDS:
        return None
    was_begun = any(e.attempt == last.attempt for e in journal.of_type(*_BEGINS))
    is_stop = last.type == EntryType.RUN_FAILED and last.data.get("status") == "cancelled"
    return last if was_begun and not is_stop else None


def ending(journal: Journal) -> Ending:
    """Return how the run ended."""
    end = last_end(journal)
    if end is None:
        return Ending.STOPPED
    return Ending.FAILED if end.type == EntryType.RUN_FAILED else Ending.WHOLE


def superseded(entries: Iterable[Entry]) -> frozenset[str]:
    """Return the ids of calls that a task made before it was executed again, and then not again.

    A task is executed again by a later attempt, or by a retry policy; another answer may then have
    led it another way.
    """
    seen: dict[str, CallRecord] = {}
    stale: set[str] = set()
    for entry in entries:
        if not (told := entry.data.get("call")):
            continue
        record = CallRecord.from_data(told)
        if record.call_id in seen:
            stale.update(id_ for id_, one in seen.items() if _follows(one, record))
        stale.discard(record.call_id)
        seen[record.call_id] = record
    return frozenset(stale)


def cut_off(journal: Journal) -> frozenset[str]:
    """Return the ids of calls that were made in the step that failed.

    Where a branch fails by itself, it cuts others off sooner in a replay, where calls take no time.
    """
    if ending(journal) is not Ending.FAILED:
        return frozenset()
    calls = journal.calls()
    steps = {_root(one): one.step for one in calls if "|" not in one.path}
    last = max(steps.values(), default=0)
    return frozenset(one.call_id for one in calls if steps.get(_root(one), last) == last)


def _root(record: CallRecord) -> str:
    """Return the outermost task that the call was made in."""
    return re.split(r"[|@~]", record.task, maxsplit=1)[0]


def _follows(later: CallRecord, call: CallRecord) -> bool:
    is_next = later.task == call.task and later.ordinal > call.ordinal
    return is_next or later.task.startswith(f"{call.task}|")


class Torn:
    """Lets a replay break off where its run did.

    Its two gates stand around the one that knows outcomes: `in_order` in front, `unanswered`
    behind.

    Args:
        journal: the run's journal.
        source: its outcomes.

    Attributes:
        difference: the call that the replay was stuck at; ``None`` when it was not.
    """

    def __init__(self, journal: Journal, source: Recording) -> None:
        self._ending = ending(journal)
        self._source = source
        self._waiting: dict[str, Difference] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._moved = asyncio.Event()
        self.difference: Difference | None = None
        self.in_order = _InOrder(_finished(journal), source, self._moved.set)
        self.unanswered = _Unanswered(self._wait)

    async def run(self, replay: Coroutine[Any, Any, T]) -> T | None:
        """Return what the replay returns; ``None`` where it broke off, or was stuck.

        Raises:
            Exception: what the replay raised.
        """
        task = asyncio.ensure_future(replay)
        task.add_done_callback(lambda _: self._moved.set())
        try:
            while not task.done():
                self._moved.clear()
                if self._has_broken_off() or not await self._moves():
                    task.cancel()
                    await asyncio.wait([task])
            return None if task.cancelled() else task.result()
        finally:
            task.cancel()
            # Threads that nodes left behind wait here too.
            self._over.set_exception(JournalError("The recorded run broke off here."))
            self._over.exception()  # Nobody needs to have waited.

    def _has_broken_off(self) -> bool:
        is_stopped = self._ending is Ending.STOPPED and self._waiting
        return bool(is_stopped and self._source.left() is None)

    async def _moves(self) -> bool:
        """Wait until something happens; return whether anything still can."""
        if not (self._waiting or self.in_order.holds):
            await self._moved.wait()
            return True
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._moved.wait()
        except TimeoutError:
            if self.in_order.holds:
                self.in_order.let_go()
                return True
            if self._ending is not Ending.STOPPED:
                self.difference = next(iter(self._waiting.values()))
            return False
        return True

    async def _wait(self, call: Call) -> None:
        """Wait for an answer that never came.

        Raises:
            JournalError: the replay is over.
        """
        asked, recorded = self._source.made[call.id]
        known = ("outcome", "not recorded", "needed") if recorded else ("call", "none", asked.what)
        where = self._source.where(recorded) if recorded else asked.where(None)
        self._waiting[call.id] = Difference(where, *known)
        self._moved.set()
        try:
            await asyncio.shield(self._over)
        finally:
            del self._waiting[call.id]


def _finished(journal: Journal) -> list[str]:
    """Return the calls that ended in an attempt that failed, in order; none where it did not."""
    end = last_end(journal)
    if end is None or ending(journal) is not Ending.FAILED:
        return []
    unasked = {one.call_id for one in journal.calls() if one.kind is CallKind.EMBEDDING}
    unasked |= superseded(journal.entries)
    ended = journal.of_type(EntryType.CALL_FINISHED)
    calls = [str(one.data["call_id"]) for one in ended if one.attempt == end.attempt]
    return [id_ for id_ in dict.fromkeys(reversed(calls)) if id_ not in unasked][::-1]


class _InOrder:
    """Hands a failure over only when all is handed over that ended before it.

    Outcomes from a journal take no time: a failed branch would cut off others sooner than it did.
    """

    def __init__(self, order: Sequence[str], source: Recording, moved: Callable[[], None]) -> None:
        self._order = order
        self._source = source
        self._moved = moved
        self._is_patient = True
        self._seen: set[str] = set()
        self._handed_over = asyncio.Condition()
        self.holds = 0

    def let_go(self) -> None:
        """Wait for nothing any more."""
        self._is_patient = False
        self._woken = asyncio.ensure_future(self._wake())

    async def before(self, call: Call) -> None:
        """Let every call pass."""

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Hold a failure until it has its turn."""
        _, recorded = self._source.made.get(call.id, (None, None))
        if recorded is None:
            return outcome
        if outcome.error is not None and recorded.call_id in self._order:
            earlier = self._order[: self._order.index(recorded.call_id)]
            self.holds += 1
            self._moved()
            async with self._handed_over:
                await self._handed_over.wait_for(
                    lambda: not self._is_patient or self._seen.issuperset(earlier)
                )
            self.holds -= 1
        self._seen.add(recorded.call_id)
        await self._wake()
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Nothing is streamed in a replay."""

    async def _wake(self) -> None:
        self._moved()
        async with self._handed_over:
            self._handed_over.notify_all()


class _Unanswered:
    """Holds every call that reaches it: none of the gates before it had an answer."""

    def __init__(self, wait: Callable[[Call], Awaitable[None]]) -> None:
        self._wait = wait

    async def before(self, call: Call) -> None:
        """Wait for the end of the replay, but where the call is made of other calls."""
        if call.effect is not Effect.CALLS:
            await self._wait(call)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Nothing is left to do."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Nothing is streamed in a replay."""
