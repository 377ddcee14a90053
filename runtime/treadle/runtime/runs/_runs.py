"""What can be done with the runs of a tenant."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents import Agent
from treadle.core.errors import InputError
from treadle.core.events import Event
from treadle.core.model_settings import ModelSettings
from treadle.runtime.journal import CallRecord, Difference, Entry, Journal, Recording, call_numbers
from treadle.runtime.runs._diff import differences
from treadle.runtime.runs._feedback import Feedback
from treadle.runtime.runs._file import JournalFile
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._plan import Plan, plan_of
from treadle.runtime.runs._record import Run, RunStateError, RunStatus
from treadle.runtime.runs._replayer import Replayer
from treadle.runtime.runs._retelling import retold
from treadle.runtime.runs._store import RunStore
from treadle.runtime.runs.before import state_before
from treadle.runtime.runs.invoking import config_of
from treadle.runtime.runs.replay import Replay
from treadle.runtime.runs.standing import place_of

_SHOWN = 5


class Runs:
    """The runs of a tenant: listing, reading, replaying, comparing and carrying them.

    Args:
        store: where they are kept.
        saver: where their threads are kept.
        replayer: replays them.
        redact: takes secrets out of what is recorded.
    """

    def __init__(
        self,
        store: RunStore,
        saver: BaseCheckpointSaver[Any],
        replayer: Replayer,
        redact: Callable[[Any], Any],
    ) -> None:
        self._store = store
        self._saver = saver
        self._replayer = replayer
        self._redact = redact

    async def recent(
        self, limit: int = 50, *, thread: str | None = None, status: RunStatus | None = None
    ) -> list[Run]:
        """Return the newest runs, newest first.

        Args:
            limit: at most so many.
            thread: of this thread only.
            status: of this status only.
        """
        if thread is None:
            return [run async for run in self._store.newest(limit, status=status)]
        last = limit if status is None else 0
        found = reversed(await self._store.of_thread(thread, last))
        return [run for run in found if status in (None, run.status)][:limit]

    async def get(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            UnknownNameError: there is no such run, or it is no longer kept.
        """
        return await self._store.get(run_id)

    async def id_of(self, beginning: str) -> str:
        """Return the id of the one run whose id begins so.

        Raises:
            UnknownNameError: there is none.
            InputError: there are several.
        """
        found = await self._store.starting_with(beginning) if beginning else []
        if beginning in found:
            return beginning
        if len(found) > 1:
            raise InputError(
                f"{len(found)} runs begin with {beginning!r}.",
                hint=f"Say more: {', '.join(sorted(found)[:_SHOWN])}.",
            )
        return found[0] if found else (await self._store.get(beginning)).id

    async def waiting_on(self, thread_id: str) -> Run | None:
        """Return the run of a thread that waits for a person, unless the thread has moved on."""
        last = await self._store.of_thread(thread_id, 1)
        if not last or last[0].status is not RunStatus.INTERRUPTED:
            return None
        latest = await self._saver.aget_tuple(config_of(last[0]))
        with suppress(RunStateError):
            await place_of(last[0], self._store, self._saver, latest)
            return last[0]
        return None

    async def metadata(self, run: Run) -> Mapping[str, Any]:
        """Return what whoever queued the run wanted to find with it again."""
        return await self._store.metadata(run)

    async def model_settings(self, run: Run) -> ModelSettings:
        """Return what the models of a run that is not at its end are given with every call."""
        accepted = await self._store.accepted(run.id, run.thread_id)
        asked = accepted.request.get("options", {}) if accepted is not None else {}
        return RunOptions.from_dict(asked).model_settings

    async def remove(self, run_id: str) -> None:
        """Remove a run that is at its end, with its journal; its thread stays as it is.

        Raises:
            UnknownNameError: there is no such run.
            RunStateError: it is not at its end.
        """
        await self._store.remove(await self._store.get(run_id))

    async def interrupts(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return what a run waits for, each with its ``id`` and ``value``; nothing if it does not.

        Raises:
            UnknownNameError: there is no such run.
        """
        return await self._store.interrupts(await self._store.get(run_id))

    async def add_feedback(self, run_id: str, given: Feedback) -> Feedback:
        """Keep what somebody said about a run, secrets taken out, and return it as it is kept.

        Raises:
            UnknownNameError: there is no such run.
            InputError: it was told too much already.
        """
        run = await self._store.get(run_id)
        clean = Feedback(**self._redact(given.to_dict()))
        return await self._store.feedback.add(self._store.keys(run.thread_id, run.id), clean)

    async def feedback(self, run_id: str) -> list[Feedback]:
        """Return what was said about a run, oldest first.

        Raises:
            UnknownNameError: there is no such run.
        """
        run = await self._store.get(run_id)
        return await self._store.feedback.all(self._store.keys(run.thread_id, run.id))

    async def keep_answer(self, thread_id: str, run_id: str, parts: Mapping[str, Any]) -> None:
        """Keep parts of what a client was answered with a run, secrets taken out.

        Args:
            thread_id: the run's thread.
            run_id: the run, which need not be accepted yet.
            parts: JSON values by their names; those kept under other names stay.
        """
        await self._store.answers.put(self._store.keys(thread_id, run_id), self._redact(parts))

    async def kept_answer(self, run: Run) -> dict[str, Any]:
        """Return what `keep_answer` kept with a run."""
        return await self._store.answers.get(self._store.keys(run.thread_id, run.id))

    async def journal(self, run_id: str) -> Journal:
        """Return a run's journal, whole.

        Raises:
            UnknownNameError: there is no such run.
            JournalError: it is damaged or of a newer version.
        """
        return await self._store.journal(await self._store.get(run_id))

    async def events(self, run_id: str) -> list[Event]:
        """Return what happened in a run so far, as the events that told of it, from its journal.

        Answers are whole in it: the pieces in which they came are not recorded.

        Raises: as `journal`.
        """
        run = await self._store.get(run_id)
        return list(retold(run, await self._store.journal(run)))

    async def plan(self, run_id: str) -> Plan:
        """Return what a dry run found.

        Raises:
            UnknownNameError: there is no such run.
            RunStateError: it is no dry run, or is not at its end.
            RunError: it failed.
            JournalError: its journal is damaged.
        """
        run = await self._store.get(run_id)
        return plan_of(run, await self._store.journal(run))

    async def entries(self, run_id: str, after: str = "0") -> AsyncIterator[Entry]:
        """Yield the entries of a run's journal after an entry's id, oldest first.

        Raises: as `journal`.
        """
        async for entry in self._store.entries(await self._store.get(run_id), after):
            yield entry

    async def export(self, run_id: str) -> JournalFile:
        """Return a run's journal with the state it began in, to be replayed anywhere.

        Raises:
            UnknownNameError: there is no such run.
            JournalError: it is damaged, or the state it began in is no longer kept.
        """
        run = await self._store.get(run_id)
        journal = await self._store.journal(run)
        before = await self._store.before(run)
        if before is None:
            before = self._redact(await state_before(self._saver, run.thread_id, run.id))
        return JournalFile(journal, before)

    async def import_file(self, file: JournalFile) -> Run:
        """Keep a journal that was exported elsewhere, under the same ids.

        Raises:
            InputError: there is a run of that id already.
            JournalError: it is damaged.
        """
        run = Run.from_dict(file.journal.run)
        if not await self._store.put(run, file.journal, file.before):
            raise InputError(f"There is a run {run.id} already.")
        return run

    async def replay(self, source: str | JournalFile, *, agent: Agent | None = None) -> Replay:
        """Execute a run again with outcomes from its journal only, and compare all that happens.

        Args:
            source: the run's id, or a journal that was exported.
            agent: the agent to replay it with; as it was recorded when not given.

        Raises:
            JournalError: the journal cannot be replayed.
        """
        file = source if isinstance(source, JournalFile) else await self.export(source)
        return await self._replayer.replay(file, agent)

    async def diff(self, left: str, right: str) -> list[Difference]:
        """Return where one run differs from another.

        Raises:
            UnknownNameError: there is no such run.
        """
        before, now = await asyncio.gather(self.journal(left), self.journal(right))
        return differences(before, now)

    def recording(
        self, file: JournalFile, *, at: int | None = None, outcomes: Mapping[int, str] | None = None
    ) -> Recording:
        """Return a run's outcomes for a fork of it.

        Args:
            file: the run's journal.
            at: from this call on, by its number from 1, all calls are made anew.
            outcomes: texts that take the place of what tools returned, by the number of the call.

        Raises:
            InputError: there is no call of that number, or it is not a tool's.
        """
        records = file.journal.calls()
        for number, text in (outcomes or {}).items():
            index = _index(records, number)
            records[index] = records[index].with_text(text)
        if at is not None:
            records = records[: _index(records, at)]
        return Recording(records, file.journal.blobs, is_strict=False)


def _index(records: list[CallRecord], number: int) -> int:
    """Return the place of the model or tool call of that number, counted from 1."""
    numbered = call_numbers(records)
    for index, record in enumerate(records):
        if numbered.get(record.call_id) == number:
            return index
    raise InputError(
        f"The run has no call {number}; it made {len(numbered)}.",
        hint="'treadle runs show' numbers them.",
    )
