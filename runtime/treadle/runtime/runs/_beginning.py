"""How an attempt begins, as ``lua/begin.lua`` takes and tells it."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.runtime.journal import KEEP_EVENTS_MS
from treadle.runtime.runs._event import StreamedEvent
from treadle.runtime.runs._record import NEXT, Run, RunStateError, RunStatus

_BEGIN_FROM = [status.value for status, following in NEXT.items() if RunStatus.RUNNING in following]


@dataclass(frozen=True, slots=True)
class FreeLock:
    """The lock of a run's thread, to be taken as an attempt begins.

    Attributes:
        key: where it is in Redis.
        token: whom it is taken for.
        lease: how long it holds.
    """

    key: str
    token: bytes
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that begins.

    Attributes:
        number: its number; 0 where nothing begins because somebody else has the thread.
        told: the event that tells of it; ``None`` where nobody watches, or where it was lost with
            a reply.
        is_blank: whether its thread has no checkpoint.
    """

    number: int
    told: StreamedEvent | None = None
    is_blank: bool = False


def beginning(run: Run, *, is_watched: bool, lock: FreeLock | None) -> list[Any]:
    """Return the arguments after the time to live; for what each is see `RunStore.begin`."""
    told = (KEEP_EVENTS_MS, *_around_number(run)) if is_watched else ("", "", "")
    taken = (lock.token, int(lock.lease.total_seconds() * 1_000)) if lock else ("", "")
    return [run.id, run.attempt, uuid.uuid4().hex, *told, *taken, *_BEGIN_FROM]


def _around_number(run: Run) -> tuple[str, str]:
    """Return what the first event tells, before the attempt's number and after it."""
    before = f'{{"run_id":{json.dumps(run.id)},"attempt":'
    return before, f',"thread_id":{json.dumps(run.thread_id)}}}'


def begun(run: Run, reply: Sequence[Any]) -> Begun:
    """Return what begins; errors as for `RunStore.begin`."""
    if reply[0] == b"held":
        return Begun(0)
    if reply[0] == b"missing":
        raise UnknownNameError("run", run.id, None)
    if reply[0] == b"taken":
        raise RunStateError(
            f"Somebody else took up the run {run.id}: its attempt {int(reply[1])} has begun.",
            hint="See what became of it with 'treadle runs show'.",
        )
    if reply[0] != b"ok":
        raise RunStateError(f"The run {run.id} is at its end: {reply[1].decode()}.")
    number, event, is_blank = int(reply[1]), reply[2].decode(), not reply[3]
    if not event:
        return Begun(number, is_blank=is_blank)
    before, after = _around_number(run)
    told = StreamedEvent(event, "metadata", f"{before}{number}{after}".encode())
    return Begun(number, told, is_blank)
