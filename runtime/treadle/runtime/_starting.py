"""Where an attempt begins: with the run's input, with an answer, or where the last one stopped."""

from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from treadle.runtime._answers import standing_at
from treadle.runtime._work import Work, is_for_gate
from treadle.runtime.journal import EntryType, Journal
from treadle.runtime.runs import RunMode, RunStateError, RunStatus, RunStore, Standing
from treadle.runtime.runs.invoking import begun_with, config_of

_AT = "at"
"""The field of a journal's entry that says where the thread stood as the run's graph began."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where an attempt begins.

    Attributes:
        given: what the graph is given: the input, a command, or nothing to go on.
        at: where the thread stands, for a run that has not begun and has no input. Such a run
            makes no checkpoint until its first step is done; this tells it where it began.
    """

    given: Any
    at: Standing | None = None

    def to_data(self) -> dict[str, Any]:
        """Return what the journal is to say of it."""
        return {} if self.at is None else {_AT: self.at.to_data()}


async def start_of(work: Work, runs: RunStore, saver: BaseCheckpointSaver[Any]) -> Start:
    """Return where an attempt of a run begins.

    Raises:
        RunStateError: the thread has moved on since, or the run waits for an answer.
    """
    run = work.run
    if not run.attempt or run.mode is RunMode.DRY:
        given = work.input if work.input is not None else await runs.given(run)
        return await _first(work, given, saver)
    latest = await saver.aget_tuple(config_of(run))
    given = None
    if latest is None or (latest.metadata or {}).get("run_id") != run.id:
        journal, now = await runs.journal(run), standing_at(latest)
        began, given = _began_at(journal), begun_with(await runs.given(run), work.options)
        if began is None or began.checkpoint_id != now.checkpoint_id:
            if any(record.made for record in journal.calls()):
                raise RunStateError(
                    f"The thread {run.thread_id!r} has moved on since the run {run.id}.",
                    hint="Fork the run instead, or ask again.",
                )
            return await _first(work, given, saver)
        if not began.is_untouched(now):
            given = None  # The command was taken; its step is to be done again.
    return Start(_answering(work) if _is_answered(work) else given)


async def _first(work: Work, given: Any, saver: BaseCheckpointSaver[Any]) -> Start:
    if work.run.mode is RunMode.DRY or not (given is None or isinstance(given, Command)):
        return Start(given)
    latest = await saver.aget_tuple(config_of(work.run, work.options))
    return Start(given, standing_at(latest))


def _began_at(journal: Journal) -> Standing | None:
    """Return where the thread stood as the run began last, where its journal tells."""
    told = journal.of_type(EntryType.RUN_STARTED, EntryType.RUN_RESUMED)
    found = next((entry.data[_AT] for entry in reversed(told) if _AT in entry.data), None)
    return None if found is None else Standing.from_data(found)


def _is_answered(work: Work) -> bool:
    if not work.answers and work.run.status is RunStatus.INTERRUPTED:
        raise RunStateError(
            f"The run {work.run.id} waits for an answer.", hint="Give one to resume it."
        )
    return bool(work.answers or work.change)


def _answering(work: Work) -> Command[Any] | None:
    others = {id_: one for id_, one in work.answers.items() if not is_for_gate(one)}
    return work.change.command(others) if others or work.change else None
