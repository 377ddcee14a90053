"""What happened in a run, told again from its journal as the events it was told by."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from treadle.core.calls import CallKind
from treadle.core.events import (
    CallFinished,
    CallStarted,
    Event,
    Refusal,
    Reply,
    RunFailed,
    RunFinished,
    RunStarted,
)
from treadle.core.sources import Citation, Source
from treadle.runtime._reporter import one_line, said
from treadle.runtime.journal import CallRecord, EntryType, Journal, joined, outcome_from_data
from treadle.runtime.runs._record import Run, RunStatus


def retold(run: Run, journal: Journal) -> Iterator[Event]:
    """Yield the events of a run, without the pieces its answers came in.

    Raises:
        JournalError: the journal is damaged.
    """
    yield RunStarted(run.id, run.thread_id, run.agent, run.question)
    for record in journal.calls():
        if record.kind.is_told:
            yield from _call(run, record, journal.blobs)
    if run.status is RunStatus.SUCCESS:
        [*_, entry] = journal.of_type(EntryType.RUN_FINISHED)
        yield RunFinished(run.id, _reply(run, joined(entry.data["reply"], journal.blobs)))
    elif run.status is RunStatus.INTERRUPTED:
        [*_, entry] = journal.of_type(EntryType.RUN_INTERRUPTED)
        asked = joined(entry.data["interrupts"], journal.blobs)[0]["value"]
        asked = asked.get("message", asked) if isinstance(asked, Mapping) else asked
        yield RunFinished(run.id, _reply(run, {"text": "", "stopped": f"interrupt: {asked}"}))
    elif run.ended is not None:
        yield RunFailed(run.id, error=run.error, usage=run.usage, refusal=_refusal(journal))


def _call(run: Run, record: CallRecord, blobs: Mapping[str, str]) -> Iterator[Event]:
    arguments: dict[str, Any] = {}
    if record.kind is CallKind.TOOL:
        arguments = {
            name: json.loads(blobs[pieces[0]])
            for name, pieces in record.request.items()
            if pieces and pieces[0] in blobs
        }
    about: dict[str, Any] = {"call_id": record.call_id, "kind": record.kind, "name": record.name}
    yield CallStarted(run.id, effect=record.effect, arguments=arguments, path=record.path, **about)
    if record.outcome is None:
        return
    outcome = outcome_from_data(joined(record.outcome, blobs))
    text, thought, sources = said(record.kind, record.purpose, outcome.value)
    told: dict[str, Any] = {
        "text": text,
        "thought": thought,
        "sources": sources,
        "error": one_line(outcome.error),
    }
    cost: dict[str, Any] = {"usage": outcome.usage, "seconds": outcome.seconds}
    yield CallFinished(run.id, **about, **cost, **told)


def _refusal(journal: Journal) -> Refusal | None:
    """Return what a model's provider did, where a run is at its end for that."""
    ends = journal.of_type(EntryType.RUN_FAILED)
    data = ends[-1].data.get("refusal") if ends else None
    return None if data is None else Refusal.from_data(data)


def _reply(run: Run, data: Mapping[str, Any]) -> Reply:
    citations = tuple(
        Citation(one["number"], Source(one["title"], one["uri"], one.get("locator", "")))
        for one in data.get("citations", ())
    )
    return Reply(
        text=data["text"],
        citations=citations,
        usage=run.usage,
        run_id=run.id,
        thread_id=run.thread_id,
        data=data.get("data"),
        stopped=data["stopped"],
        thought=data.get("thought", ""),
    )
