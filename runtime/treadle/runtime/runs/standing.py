"""Where the thread of a run stands that is taken up again, and what of a command is still open."""

import hashlib
import json
from enum import Enum, auto
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from treadle.runtime.journal import EntryType, Journal, to_data
from treadle.runtime.runs._record import Run, RunStateError
from treadle.runtime.runs._resumption import Change, Resumption, Standing
from treadle.runtime.runs._store import RunStore

AT = "at"
"""The field of a journal's entry that says where the thread stood as the run's graph began."""
CHANGED = "changed"
"""The field that holds the state in which an attempt found a thread that somebody had changed."""
_EDITS = {"update", "fork"}
"""What LangGraph says a checkpoint is from that no run made."""
_INTERRUPT, _RESUME = "__interrupt__", "__resume__"
"""The channels in which LangGraph keeps what a task asks, and the answers it has had."""
_NO_TASK = "00000000-0000-0000-0000-000000000000"
"""The task in whose name LangGraph keeps what commands write."""


def standing_at(latest: CheckpointTuple | None) -> Standing:
    """Return where a thread with this latest checkpoint stands.

    A task that asks twice asks under one id. The digest is of what it asks and of how many answers
    it has had, so that an answer to the first question is never given to the second.
    """
    if latest is None:
        return Standing()
    writes = latest.pending_writes or ()
    answers = {task: len(value) for task, channel, value in writes if channel == _RESUME}
    asked = {
        one.id: _digest(one.value, answers.get(task, 0))
        for task, channel, value in writes
        if channel == _INTERRUPT
        for one in value
    }
    commanded = sum(task == _NO_TASK and channel != _RESUME for task, channel, _ in writes)
    return Standing(latest.checkpoint["id"], commanded, asked)


def still_open(resumption: Resumption, now: Standing) -> tuple[dict[str, Any], Change]:
    """Return the answers whose questions are as they were, and the change if none took it.

    A question that did not stand there, as the state was changed after it was asked, is open until
    the graph goes on.
    """
    asked, is_untouched = resumption.at.asked, resumption.at.is_untouched(now)
    answers = {
        id_: one
        for id_, one in resumption.answers.items()
        if (asked[id_] == now.asked.get(id_) if id_ in asked else is_untouched and not now.asked)
    }
    return answers, resumption.change if is_untouched else Change()


class Place(Enum):
    """Where a run's thread stands, as the run sees it that is taken up again."""

    OWN = auto()
    """At a checkpoint that the run made."""
    BEGUN = auto()
    """Where the run began; it made none."""
    TAKEN = auto()
    """There as well, and the command that it began with was taken."""
    CHANGED = auto()
    """At a change of the state that somebody made where the run had stopped."""
    ELSEWHERE = auto()
    """Where the run, which did nothing yet, never was."""


async def place_of(
    run: Run, runs: RunStore, saver: BaseCheckpointSaver[Any], latest: CheckpointTuple | None
) -> Place:
    """Return where the thread of a run stands that has begun.

    Args:
        run: the run.
        runs: where its journal is.
        saver: what keeps its thread.
        latest: the thread's latest checkpoint.

    Raises:
        RunStateError: the run did something, and another went on with its thread.
    """
    last, is_changed = latest, False
    while last is not None and (last.metadata or {}).get("source") in _EDITS:
        parent, is_changed = last.parent_config, True
        last = await saver.aget_tuple(parent) if parent else None
    if last is not None and (last.metadata or {}).get("run_id") == run.id:
        return Place.CHANGED if is_changed else Place.OWN
    journal = await runs.journal(run)
    began, now = _began_at(journal), standing_at(latest)
    if began is not None and began.checkpoint_id == now.checkpoint_id:
        return Place.BEGUN if began.is_untouched(now) else Place.TAKEN
    if began is not None and began.checkpoint_id == standing_at(last).checkpoint_id:
        return Place.CHANGED
    did_something = any(record.made for record in journal.calls())
    if did_something or journal.of_type(EntryType.RUN_INTERRUPTED):
        raise RunStateError(
            f"The thread {run.thread_id!r} has moved on since the run {run.id}.",
            hint="Fork the run instead, or ask again.",
        )
    return Place.ELSEWHERE


def _began_at(journal: Journal) -> Standing | None:
    """Return where the thread stood as the run began last, where its journal tells."""
    told = journal.of_type(EntryType.RUN_STARTED, EntryType.RUN_RESUMED)
    found = next((entry.data[AT] for entry in reversed(told) if AT in entry.data), None)
    return None if found is None else Standing.from_data(found)


def _digest(question: Any, answers: int) -> str:
    text = json.dumps([to_data(question), answers], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
