"""Where an attempt begins: with the run's input, with an answer, or where the last one stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from treadle.core.errors import InputError
from treadle.runtime._work import Work
from treadle.runtime.approvals import for_the_graph
from treadle.runtime.runs import Run, RunMode, RunStateError, RunStatus, RunStore, Standing
from treadle.runtime.runs.before import latest_state
from treadle.runtime.runs.invoking import begun_with, config_of
from treadle.runtime.runs.standing import AT, CHANGED, Place, place_of, standing_at


@dataclass(frozen=True, slots=True)
class Start:
    """Where an attempt begins.

    Attributes:
        given: what the graph is given: the input, a command, or nothing to go on.
        at: where the thread stands, for a run that has not begun and has no input. Such a run
            makes no checkpoint until its first step is done; this tells it where it began.
        changed: the thread's state, where somebody changed it since the run had stopped: no journal
            tells of that.
    """

    given: Any
    at: Standing | None = None
    changed: Mapping[str, Any] | None = None

    def to_data(self) -> dict[str, Any]:
        """Return what the journal is to say of it."""
        at = {} if self.at is None else {AT: self.at.to_data()}
        return at if self.changed is None else {**at, CHANGED: self.changed}


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
    place = await place_of(run, runs, saver, latest)
    if place is Place.CHANGED:
        _is_answered(work)
        answers = for_the_graph(work.answers)
        check_is_one(run, list(answers.values()))
        state = await latest_state(saver, run.thread_id)
        given = work.change.command_anew(list(answers.values()))
        return Start(given, standing_at(latest), state)
    given = None
    if place is not Place.OWN:
        given = begun_with(await runs.given(run), work.options)
    if place is Place.ELSEWHERE:
        return await _first(work, given, saver)
    if place is Place.TAKEN:
        given = None  # The command was taken; its step is to be done again.
    return Start(_answering(work) if _is_answered(work) else given)


async def _first(work: Work, given: Any, saver: BaseCheckpointSaver[Any]) -> Start:
    await _check_place(work, saver)
    if work.run.mode is RunMode.DRY or not (given is None or isinstance(given, Command)):
        return Start(given)
    return Start(given, standing_at(await saver.aget_tuple(config_of(work.run, work.options))))


async def _check_place(work: Work, saver: BaseCheckpointSaver[Any]) -> None:
    """See that the checkpoint is there that a run is to begin at: it would begin with nothing.

    Raises:
        InputError: it is not.
    """
    named = work.options.checkpoint_id
    if named and await saver.aget_tuple(config_of(work.run, work.options)) is None:
        raise InputError(
            f"The thread {work.run.thread_id!r} has no checkpoint {named!r}.",
            hint="Leave it out to go on from the latest.",
        )


def _is_answered(work: Work) -> bool:
    if not work.answers and work.run.status is RunStatus.INTERRUPTED:
        raise RunStateError(
            f"The run {work.run.id} waits for an answer.", hint="Give one to resume it."
        )
    return bool(work.answers or work.change)


def check_is_one(run: Run, answers: Sequence[Any]) -> None:
    """See that the answers can be told apart though the state was changed after what was asked.

    Raises:
        RunStateError: there are several, and nothing says which is to what.
    """
    if len(answers) > 1:
        raise RunStateError(
            f"The state of the thread {run.thread_id!r} was changed after the run {run.id} had "
            f"asked {len(answers)} things.",
            hint="Run the thread without an input, and answer what is asked then.",
        )


def _answering(work: Work) -> Command[Any] | None:
    others = for_the_graph(work.answers)
    return work.change.command(others) if others or work.change else None
