"""How an attempt begins, as ``lua/begin.lua`` takes and tells it."""

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.memory.scripts import ScriptCall, load_script
from treadle.runtime.journal import KEEP_EVENTS_MS, RunKeys
from treadle.runtime.runs._event import StreamedEvent
from treadle.runtime.runs._record import NEXT, Run, RunStateError, RunStatus

_BEGIN = load_script(str(__package__), "begin")
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

    @classmethod
    def new(cls, key: str, lease: timedelta) -> "FreeLock":
        """Return a lock for whoever asks."""
        return cls(key, secrets.token_hex(16).encode(), lease)


@dataclass(frozen=True, slots=True)
class Holder:
    """The worker that must have a run for an attempt to begin.

    Attributes:
        job: where the queue keeps the run, in the same Redis.
        worker: the worker.
    """

    job: str
    worker: str


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


@dataclass(frozen=True, slots=True)
class Headstart:
    """An attempt that began as its run was submitted, with the thread's lock for it.

    Attributes:
        lock: the lock, which nobody renews until the attempt is worked on; ``None`` where it has
            to be taken again.
        begun: the attempt.
    """

    lock: FreeLock | None
    begun: Begun

    @classmethod
    def of(cls, run: Run, lock: FreeLock, reply: Sequence[Any]) -> "Headstart | None":
        """Return it, as the reply to `beginning` tells; ``None`` where nothing began."""
        return cls(lock, begun(run, reply)) if reply[0] == b"ok" else None


def beginning(
    run: Run,
    keys: RunKeys,
    index: str,
    ttl_ms: int,
    *,
    is_watched: bool = False,
    lock: FreeLock | None = None,
    holder: Holder | None = None,
) -> ScriptCall:
    """Return the call that begins an attempt, whose reply `begun` reads.

    Args:
        run: the run as it was read last: the attempt follows the one it knows of.
        keys: its keys.
        index: what exists while its thread has a checkpoint.
        ttl_ms: how long the run is kept.
        is_watched: whether the beginning is told among the run's events.
        lock: the thread's lock, where it is to be taken with it.
        holder: who must have it in the queue, where the submission goes in the same round trip.
    """
    told = (KEEP_EVENTS_MS, *_around_number(run)) if is_watched else ("", "", "")
    taken = (lock.token, int(lock.lease.total_seconds() * 1_000)) if lock else ("", "")
    words = (ttl_ms, run.id, run.attempt, uuid.uuid4().hex, *told, *taken)
    # A script's keys are all named, and on a cluster in one slot: those not meant are the fence.
    locked, job = (lock.key if lock else keys.fence), (holder.job if holder else keys.fence)
    touched = (keys.fence, keys.record, keys.runs, keys.events, locked, index, job)
    return ScriptCall(_BEGIN, touched, (*words, holder.worker if holder else "", *_BEGIN_FROM))


def _around_number(run: Run) -> tuple[str, str]:
    """Return what the first event tells, before the attempt's number and after it."""
    before = f'{{"run_id":{json.dumps(run.id)},"attempt":'
    return before, f',"thread_id":{json.dumps(run.thread_id)}}}'


def begun(run: Run, reply: Sequence[Any]) -> Begun:
    """Return what begins, as the reply tells.

    Raises:
        UnknownNameError: there is no such run.
        RunStateError: it is at its end, or somebody else took it up.
    """
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
