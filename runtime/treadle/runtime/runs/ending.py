"""How an attempt ends, as ``lua/finish.lua`` takes and tells it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from treadle.core.usage import Usage
from treadle.memory.scripts import ScriptCall, load_script
from treadle.runtime.journal import KEEP_EVENTS_MS, EntryType, Rest, RunKeys, split
from treadle.runtime.runs._event import END, StreamedEvent
from treadle.runtime.runs._record import Run, RunStatus
from treadle.runtime.runs.beginning import FreeLock

_FINISH = load_script(str(__package__), "finish")
_CHANGED = ("status", "ended", "usage", "error")


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended.

    Attributes:
        run: the run as it is now.
        told: the events that it streamed last.
    """

    run: Run
    told: Sequence[StreamedEvent]


@dataclass(slots=True)
class Completion:
    """How a run leaves the queue in the round trip in which it comes to its end.

    Attributes:
        call: what takes it out, if it is at its end by then.
        said: what the queue replied; 0 while it has it.
    """

    call: ScriptCall
    said: int = 0


def left_by(run: Run, attempt: int, status: RunStatus, usage: Usage, error: str) -> Run:
    """Return the run as an attempt leaves it that ends at this moment."""
    moment = datetime.now(UTC)
    now = moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)  # as it will be read
    ended = None if status is RunStatus.PENDING else now
    return replace(run, status=status, attempt=attempt, ended=ended, usage=usage, error=error)


def ending(
    left: Run,
    keys: RunKeys,
    ttl_ms: int,
    entry: tuple[EntryType, Mapping[str, Any]],
    *,
    rest: Rest,
    events: Sequence[tuple[str, bytes]],
    lock: FreeLock | None,
) -> ScriptCall:
    """Return the call that ends an attempt; for what each is see `RunStore.finish`."""
    blobs = dict(rest.blobs)
    data = json.dumps(split(entry[1], blobs), ensure_ascii=False, separators=(",", ":"))
    entries = (*rest.entries, (entry[0].value, data))
    record = left.to_hash()
    fields = [(name, record[name]) for name in _CHANGED]
    pairs = (*blobs.items(), *entries, *events, *fields)
    counts = (len(blobs), len(entries), len(events))
    words = (keys.token(left.attempt), ttl_ms, left.attempt, KEEP_EVENTS_MS, *counts)
    given_back, locked = (lock.token, lock.key) if lock else ("", keys.fence)
    touched = (keys.fence, keys.record, keys.entries, keys.blobs, keys.runs, keys.events, locked)
    flat = (part for pair in pairs for part in pair)
    return ScriptCall(_FINISH, touched, (*words, given_back, *flat))


def told_of(
    left: Run, events: Sequence[tuple[str, bytes]], ids: Sequence[bytes]
) -> list[StreamedEvent]:
    """Return the events that came last, given the ids of those there are."""
    end = (END, f'{{"status":"{left.status.value}"}}'.encode())
    told = zip(ids, (*events, end), strict=False)  # An end is told where anything else was.
    return [StreamedEvent(id_.decode(), *event) for id_, event in told]
