"""What a dry run found: the effects that its run would have had, and its answer."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.calls import CallKind, Effect
from treadle.core.errors import RunError
from treadle.core.events import Reply, RunFinished
from treadle.runtime.journal import CallRecord, Journal
from treadle.runtime.runs._record import ENDS, Run, RunMode, RunStateError
from treadle.runtime.runs._retelling import retold


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """A call that a live run would have made.

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
    """

    reply: Reply
    effects: tuple[PlannedEffect, ...]


def dry_thread(thread_id: str) -> str:
    """Return the thread that dry runs of a thread have, so that they are forgotten with it."""
    return f"dry-{hashlib.sha256(thread_id.encode()).hexdigest()[:32]}"


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
    return Plan(last.reply, planned(journal))


def planned(journal: Journal) -> tuple[PlannedEffect, ...]:
    """Return the effects that a dry run described, in the last of its attempts.

    Raises:
        JournalError: an entry of a call cannot be read.
    """
    return tuple(
        PlannedEffect(record.name, _arguments(record, journal.blobs), record.effect)
        for record in journal.latest_attempt().calls()
        if _is_described(record)
    )


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
