"""Executing a run: one attempt, from taking the thread to writing how it ended."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import Interrupt
from redis.exceptions import RedisError as DriverError

from treadle.agents import Agent
from treadle.core.boundary import GateChain, boundary, is_open
from treadle.core.calls import Gate
from treadle.core.errors import FencedError, TreadleError
from treadle.core.events import Refusal, Reply, RunFailed, RunFinished, RunStarted
from treadle.core.json_text import as_json
from treadle.core.redaction import Redactor
from treadle.core.settings import Settings
from treadle.core.usage import Usage
from treadle.memory.bundle import Memory
from treadle.memory.saver import WriteBehind, fenced, writing_behind
from treadle.memory.scripts import driver_of
from treadle.memory.window import since_last_question
from treadle.runtime._checkpointed import Checkpointed
from treadle.runtime._graph_run import run_graph
from treadle.runtime._learning import Learner
from treadle.runtime._locks import HeldLock, release, thread_lock
from treadle.runtime._replies import make_reply
from treadle.runtime._reporter import Emit, Reporter
from treadle.runtime._simulation import Simulator
from treadle.runtime._starting import Start, start_of
from treadle.runtime._tasks import uninterrupted
from treadle.runtime._work import Work
from treadle.runtime.approvals import ApprovalStore, PolicyGate
from treadle.runtime.budget import (
    BudgetGate,
    Ledger,
    day_account,
    run_account,
    total_account,
)
from treadle.runtime.events import FEEDBACK, EventWriter, KeptStates
from treadle.runtime.journal import (
    CallJournal,
    CallRecord,
    EarlierAttempts,
    EntryType,
    JournalWriter,
    KnownOutcomes,
    Recorder,
    Recording,
    Source,
    answered,
    to_data,
    usage_from_data,
)
from treadle.runtime.runs import (
    ENDS,
    STOPPED,
    Run,
    RunMode,
    RunStatus,
    RunStore,
)
from treadle.runtime.runs.beginning import Begun, FreeLock, Headstart
from treadle.runtime.runs.ending import Ended
from treadle.runtime.runs.invoking import checked_state, config_of, failure_of, reply_to_data
from treadle.runtime.runs.made_of import made_of

TURNS = 8
"""How often the event loop comes round before a run is worked on that began as it was submitted:
whoever submitted it has told the client by then, which would wait for the graph otherwise."""
_log = logging.getLogger("treadle.runs")
"""Tells of runs that failed, at the level INFO: servers and workers show it."""


class Executor:
    """Executes runs, one attempt at a time on a thread.

    Args:
        redis: the connection to Redis.
        settings: the project's settings.
        runs: where runs and their journals are kept.
        memory: where the threads are kept, and what was said on them.
        learner: learns facts when a run is over.
        approvals: where calls wait for a person's leave.
        redactor: takes secrets out of what is recorded.
        prompts: gives the digests of an agent's prompts.
    """

    def __init__(
        self,
        redis: Any,
        settings: Settings,
        *,
        runs: RunStore,
        memory: Memory,
        learner: Learner,
        approvals: ApprovalStore,
        redactor: Redactor,
        prompts: Callable[[Agent], Mapping[str, str]],
    ) -> None:
        self._redis = redis
        self._driver = driver_of(redis, "Executor")
        self._settings = settings
        self._runs = runs
        self._memory = memory
        self._states = KeptStates(memory.saver)
        self._learner = learner
        self._approvals = approvals
        self._redactor = redactor
        self._redact = redactor.redact
        self._prompts = prompts
        self._lease = timedelta(seconds=settings.runs.lease_seconds)
        self._slots = asyncio.Semaphore(settings.runs.concurrent)
        self._ledger = Ledger(redis, prefix=settings.prefix)

    async def execute(self, work: Work, emit: Emit) -> Reply:
        """Execute one attempt of a run and return its reply.

        Raises:
            RunStateError: the run cannot be begun as it stands.
            TreadleError: the run failed; that is recorded, and `RunFailed` is emitted.
        """
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            for _ in range(TURNS if work.headstart else 0):
                await asyncio.sleep(0)
            async with self._slot():
                if loop.time() - asked > self._lease.total_seconds() / 3:
                    work = await self._without_lock(work)
                return await self._hold_thread(work, emit)
        except asyncio.CancelledError:
            if work.verdict(asyncio.CancelledError()) is RunStatus.CANCELLED:
                await uninterrupted(self._withdraw(work))
            await self._without_lock(work)
            raise

    async def conclude(self, run: Run, status: RunStatus, error: str) -> None:
        """End a run whose last attempt died, or which cannot be executed, without working on it.

        Raises:
            RunStateError: it is at its end, or somebody else took it up.
        """
        number = (await self._runs.begin(run)).number
        data = {"error": self._redact(error), "status": status.value}
        said = (run.id, run.agent, status.value, " ".join(data["error"].split()))
        _log.info("The run %s of %r ended as %s: %s", *said)
        await self._runs.finish(
            run,
            number,
            status,
            (EntryType.RUN_FAILED, data),
            usage=run.usage,
            error=self._redact(error),
        )

    async def given_up(self, run: Run, headstart: Headstart | None) -> Run:
        """Return a run that is not worked on after all, as it is now; its thread is free again."""
        if headstart is None:
            return run
        if headstart.lock is not None:
            await release(self._redis, headstart.lock)
        return replace(run, status=RunStatus.RUNNING, attempt=headstart.begun.number)

    async def _without_lock(self, work: Work) -> Work:
        """Return a run whose attempt has begun without the lock for it, which may lapse unseen."""
        if work.headstart is None or work.headstart.lock is None:
            return work
        await release(self._redis, work.headstart.lock)
        return replace(work, headstart=replace(work.headstart, lock=None))

    async def _withdraw(self, work: Work) -> None:
        """Record that a run was stopped, where nothing had been done of its first attempt."""
        run, headstart = work.run, work.headstart
        with suppress(DriverError, OSError, TreadleError):  # It can be taken up all the same.
            await work.undone()
            if headstart is not None:  # Where it was worked on, that has ended it.
                status, usage = RunStatus.CANCELLED, run.usage
                said = (EntryType.RUN_FAILED, {"error": STOPPED, "status": status.value})
                attempt = (run, headstart.begun.number)
                await self._runs.finish(*attempt, status, said, usage=usage, error=STOPPED)
            elif run.status is RunStatus.PENDING:
                await self._runs.cancel(run)

    @property
    def has_slot(self) -> bool:
        """Whether an attempt that begins now need not wait for others."""
        return not self._slots.locked()

    def _slot(self) -> AbstractAsyncContextManager[Any]:
        # A run that another waits for inside its own slot must not wait for a slot.
        return nullcontext() if is_open() else self._slots

    async def _hold_thread(self, work: Work, emit: Emit) -> Reply:
        begun, taken = Begun(0), None
        if work.headstart is not None:
            begun, taken = work.headstart.begun, work.headstart.lock

        async def begin(key: str, token: bytes) -> bool:
            nonlocal begun
            begun = await self._begin(work, FreeLock(key, token, self._lease))
            return bool(begun.number)

        # What an earlier attempt left is read under the lock, before another begins.
        is_first = work.input is not None and not work.run.attempt
        take = begin if is_first and not begun.number else None
        held = (self._settings.prefix, work.run.thread_id, self._lease)
        async with thread_lock(self._redis, *held, take=take, taken=taken) as lock:
            if work.input is None:  # Whoever held the thread until now may have gone on with it.
                work = replace(work, run=await self._runs.get(work.run.id))
            run, start = work.run, None
            if not begun.number:
                start = await start_of(work, self._runs, self._memory.saver)
                begun = await uninterrupted(self._begin(work))
            reporter = Reporter(run.id, emit, run.usage, self._redactor)
            writer = self._runs.writer(run, begun.number)
            is_behind = work.options.durability == "async"
            blank = run.thread_id if begun.is_blank else None
            with writing_behind(writer.token, is_behind, blank) as behind:
                events = self._events(work, begun.number, behind)
                attempt = _Attempt(work, begun.number, writer, reporter, events, behind, lock)
                return await self._to_its_end(attempt, start, emit)

    async def _to_its_end(self, attempt: "_Attempt", start: Start | None, emit: Emit) -> Reply:
        """Execute an attempt, and write how it ended, whatever that is."""
        work = attempt.work
        try:
            return await self._attempt(attempt, start, emit)
        except asyncio.CancelledError as stop:
            await uninterrupted(self._failed(attempt, work.verdict(stop), STOPPED))
            raise
        except FencedError:
            raise
        except Exception as error:
            failure = failure_of(work.agent.name, error, work.options)
            refusal = Refusal.of(failure)
            await self._failed(attempt, work.verdict(error), str(failure), refusal)
            said, spent = self._redact(str(failure)), attempt.reporter.usage
            emit(RunFailed(work.run.id, error=said, usage=spent, refusal=refusal))
            raise failure from error
        finally:
            await uninterrupted(attempt.aclose())

    async def _begin(self, work: Work, lock: FreeLock | None = None) -> Begun:
        """Begin an attempt; its number is 0 where somebody else has the thread."""
        is_watched = work.options.is_watched
        begun = await self._runs.begin(work.run, is_watched=is_watched, lock=lock)
        if work.feed is not None and begun.number and is_watched:
            work.feed.begin(begun.told)
        return begun

    def _events(self, work: Work, number: int, behind: WriteBehind) -> EventWriter | None:
        """Return what writes what the run streams; ``None`` where nobody asked for any."""
        if not work.options.is_watched:
            return None
        keys = self._runs.keys(work.run.thread_id, work.run.id)
        # Whoever is told of a state finds it: its checkpoint goes first.
        return EventWriter(self._driver, keys, number, work.feed, before=behind.send)

    async def _attempt(self, attempt: "_Attempt", start: Start | None, emit: Emit) -> Reply:
        work, run, reporter = attempt.work, attempt.work.run, attempt.reporter
        start = start or await start_of(work, self._runs, self._memory.saver)
        emit(
            RunStarted(
                run.id, thread_id=run.thread_id, agent=work.agent.name, question=run.question
            )
        )
        budget = self._budget(work)
        source = await self._earlier(attempt) or work.source
        await self._announce(attempt, start, budget)
        gates = GateChain([Checkpointed(attempt.behind), *self._gates(attempt, budget, source)])
        async with budget.open():
            is_watched = work.is_watched or work.options.is_watched
            with boundary(
                gates,
                thread_id=run.thread_id,
                run_id=run.id,
                is_watched=is_watched,
                model_settings=work.options.model_settings,
            ):
                state = await run_graph(
                    work.graph,
                    start.given,
                    fenced(config_of(run, work.options), attempt.writer.token),
                    work.options,
                    control=work.control,
                    events=attempt.events,
                    redactor=self._redactor,
                )
        state = checked_state(state, was_asked=bool(run.question))
        if _is_read_again(work, state):
            await attempt.behind.settled()
        else:
            attempt.behind.drop()
        if attempt.events is not None:
            if work.options.feedback_keys:
                attempt.events.add(FEEDBACK, as_json(list(work.options.feedback_keys)))
            await attempt.events.flush()
        reply = make_reply(
            state,
            reporter.usage,
            run.id,
            run.thread_id,
            citations=work.agent.citations,
        )
        messages = state.get("messages", ())
        if run.mode is not RunMode.DRY and messages:
            await self._memory.note(run.thread_id, messages)
        if interrupts := state.get("__interrupt__", ()):
            await self._finish(attempt, RunStatus.INTERRUPTED, _interrupted(interrupts), state)
        else:
            ended = (EntryType.RUN_FINISHED, {"reply": reply_to_data(reply)})
            await self._finish(attempt, RunStatus.SUCCESS, ended, state)
            self._learn(work, messages)
        emit(RunFinished(run.id, reply=reply))
        return reply

    def _learn(self, work: Work, messages: Sequence[BaseMessage]) -> None:
        if work.learning_model is not None and work.run.mode is RunMode.LIVE:
            turn = since_last_question(messages)
            self._learner.learn(work.run, turn, work.learning_model, lambda: self._budget(work))

    def _budget(self, work: Work) -> BudgetGate:
        accounts = [run_account(work.run.id, work.agent.budget)]
        limits = self._settings.budget
        accounts += [day_account(limits.per_day), total_account(limits.total), *work.accounts]
        return BudgetGate(
            self._ledger, accounts, run_id=work.run.id, seconds=work.agent.budget.seconds
        )

    async def _earlier(self, attempt: "_Attempt") -> Source | None:
        """Return what earlier attempts did: the fence is taken, so they do no more by now."""
        if attempt.number == 1:
            return None
        journal = await self._runs.journal(attempt.work.run)
        records = journal.calls()
        attempt.reporter.usage = _cost(records)
        if attempt.work.run.mode is RunMode.DRY:
            # Its checkpoints went with its process: its calls are known by their place.
            return Recording(answered(records), journal.blobs, is_strict=False)
        return EarlierAttempts(records) if records else None

    def _gates(self, attempt: "_Attempt", budget: BudgetGate, source: Source | None) -> list[Gate]:
        work = attempt.work
        journal = CallJournal(source, attempt.writer, self._redactor, attempt.reporter, work.told)
        return [
            KnownOutcomes(journal),
            PolicyGate(
                {**work.policies, work.agent.name: work.agent.policy},
                agent=work.agent.name,
                store=self._approvals,
                journal=journal,
                approved=work.approved,
                is_dry=work.run.mode is RunMode.DRY,
            ),
            *([Simulator()] if work.run.mode is RunMode.DRY else []),
            budget,
            Recorder(journal),
        ]

    async def _announce(self, attempt: "_Attempt", start: Start, budget: BudgetGate) -> None:
        work = attempt.work
        if attempt.number == 1:
            told = self._redact({"question": work.run.question, "input": to_data(work.input)})
            made = made_of(work.agent, self._prompts(work.agent), self._redactor)
            data = {"agent": work.agent.name, **told, **made, "metered": budget.is_metered}
            data |= start.to_data()
            if options := work.options.to_dict():
                data["options"] = self._redact(to_data(options))
            attempt.writer.note(EntryType.RUN_STARTED, data)
            if start.at is not None:  # A command that is taken must be known to have been.
                await attempt.writer.flush()
        else:
            data = {"answers": to_data(dict(work.answers)), **work.change.to_data()}
            data |= start.to_data()
            await attempt.writer.write(EntryType.RUN_RESUMED, self._redact(data))

    async def _finish(
        self,
        attempt: "_Attempt",
        status: RunStatus,
        entry: tuple[EntryType, Mapping[str, Any]],
        state: Any,
    ) -> None:
        run, kept = attempt.work.run, []
        if attempt.work.options.keep_values:
            kept.append(("values", self._states.packed(run.thread_id, state)))
        ended = await self._runs.finish(
            run,
            attempt.number,
            status,
            (entry[0], self._redact(entry[1])),
            usage=attempt.reporter.usage,
            rest=await attempt.writer.rest(),
            events=kept,
            lock=await attempt.lock.about_to_leave(),
            completion=attempt.work.completion,
        )
        attempt.lock.is_given_back = True
        attempt.hand_on(ended)

    async def _failed(
        self, attempt: "_Attempt", status: RunStatus, error: str, refusal: Refusal | None = None
    ) -> None:
        """Record that the attempt failed; where even that fails, the run can still be resumed."""
        await attempt.aclose()
        error = self._redact(error)
        data: dict[str, Any] = {"error": error, "status": status.value}
        if refusal is not None:
            data["refusal"] = self._redact(refusal.to_data())
        entry = (EntryType.RUN_FAILED, data)
        if status is RunStatus.PENDING:
            entry = (EntryType.RUN_PAUSED, {"reason": error})
        if error != STOPPED:
            run = attempt.work.run
            outcome = "waits to be tried again" if status is RunStatus.PENDING else "failed"
            said = (run.id, run.agent, outcome, attempt.number, " ".join(error.split()))
            _log.info("The run %s of %r %s, attempt %d: %s", *said)
        try:
            if status is RunStatus.CANCELLED:
                await attempt.work.undone()  # The thread is held, and nobody was told yet.
            ended = await self._runs.finish(
                attempt.work.run,
                attempt.number,
                status,
                entry,
                usage=attempt.reporter.usage,
                error=error,
                lock=await attempt.lock.about_to_leave(),
            )
        except Exception:
            return
        attempt.lock.is_given_back = True
        attempt.hand_on(ended)


@dataclass(frozen=True)
class _Attempt:
    work: Work
    number: int
    writer: JournalWriter
    reporter: Reporter
    events: EventWriter | None
    behind: WriteBehind
    lock: HeldLock

    def hand_on(self, ended: Ended) -> None:
        """Tell readers in this process how it ended, where that ended the run."""
        if self.work.feed is not None and ended.run.status in ENDS:
            self.work.feed.end(ended.run, ended.told)

    async def aclose(self) -> None:
        """Let what is under way to Redis come to its end."""
        await self.behind.aclose()
        if self.events is not None:
            await self.events.aclose()
        await self.writer.aclose()


def _is_read_again(work: Work, state: Mapping[str, Any]) -> bool:
    """Tell whether anybody may need the checkpoints of a run that came this far."""
    return work.keeps_thread or "__interrupt__" in state or not work.options.keep_values


def _interrupted(interrupts: Sequence[Interrupt]) -> tuple[EntryType, dict[str, Any]]:
    asked = [{"id": one.id, "value": to_data(one.value)} for one in interrupts]
    return EntryType.RUN_INTERRUPTED, {"interrupts": asked}


def _cost(records: Sequence[CallRecord]) -> Usage:
    total = Usage()
    for record in records:
        if record.made and record.outcome is not None:
            total += usage_from_data(record.outcome.get("usage", {}))
    return total
