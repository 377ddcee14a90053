"""What a dry run found: the effects that its run would have had, and its answer."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.calls import CallKind, Effect
from treadle.core.errors import RunError
from treadle.core.events import Reply, RunFinished
from treadle.runtime.journal import CallRecord, Journal
from treadle.runtime.runs._record import ENDS, Run, RunMode, RunStateError
from treadle.runtime.runs._retelling import retold

_DRY = re.compile(r"dry-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """A call that a live run would make: one that was described, or that was made as it reads.

    Attributes:
        tool: the tool's name.
        arguments: its arguments by name, secrets taken out.
        effect: what repeating it would do.
    """

    tool: str
    arguments: Mapping[str, Any]
    effect: Effect


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        reply: what it would answer, as far as the described effects allow; its usage is what the
            dry run itself cost, which a live run would cost too.
        effects: the effects it would have, in order.
        reads: the calls of tools that it made, which only read, in order.
    """

    reply: Reply
    effects: tuple[PlannedEffect, ...]
    reads: tuple[PlannedEffect, ...] = ()


def dry_thread(thread_id: str) -> str:
    """Return the thread that dry runs of a thread have, so that they are forgotten with it."""
    return f"dry-{hashlib.sha256(thread_id.encode()).hexdigest()[:32]}"


def is_dry_thread(thread_id: str) -> bool:
    """Return whether a thread is one that `dry_thread` names: it is nobody's own."""
    return _DRY.fullmatch(thread_id) is not None


def plan_of(run: Run, journal: Journal) -> Plan:
    """Return what a dry run found.

    Raises:
        RunStateError: it is no dry run, or is not at its end.
        RunError: it failed.
        JournalError: its journal is damaged.
    """
    if run.mode is not RunMode.DRY:
        raise RunStateError(
            f"The run {run.id} is no dry run.", hint="'treadle runs show' says what it did."
        )
    if run.status not in ENDS:
        raise RunStateError(f"The run {run.id} is {run.status}.", hint="Wait for its end.")
    *_, last = retold(run, journal)
    if not isinstance(last, RunFinished):
        raise RunError(run.error or f"The run ended as {run.status}.")
    return plan_with(last.reply, journal)


def plan_with(reply: Reply, journal: Journal) -> Plan:
    """Return what a dry run found that is at its end, in the last of its attempts.

    Raises:
        JournalError: an entry of a call cannot be read.
    """
    records = list(journal.latest_attempt().calls())

    def each(is_wanted: Callable[[CallRecord], bool]) -> tuple[PlannedEffect, ...]:
        return tuple(
            PlannedEffect(one.name, _arguments(one, journal.blobs), one.effect)
            for one in records
            if is_wanted(one)
        )

    return Plan(reply, each(_is_described), each(_is_read))


def _is_read(record: CallRecord) -> bool:
    return record.kind is CallKind.TOOL and record.effect is Effect.READ


def _is_described(record: CallRecord) -> bool:
    """Tell an effect that was described from one that a policy denies, which fails."""
    is_effect = record.kind is CallKind.TOOL and record.effect not in (Effect.READ, Effect.CALLS)
    return is_effect and not record.made and "error" not in (record.outcome or {})


def _arguments(record: CallRecord, blobs: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: json.loads(blobs[pieces[0]])
        for name, pieces in record.request.items()
        if pieces and pieces[0] in blobs
    }
