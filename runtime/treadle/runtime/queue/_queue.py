"""The queue of a tenant: submitting runs, waiting for them, stopping them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.memory.scripts import ScriptCall, driver_of
from treadle.runtime._locks import free_lock, is_locked
from treadle.runtime._preparing import Preparation
from treadle.runtime._rollback import Rollback
from treadle.runtime._tasks import uninterrupted
from treadle.runtime.events import (
    Bell,
    Bells,
    EventReader,
    Feed,
    KeptStates,
    Mark,
    Marks,
    StreamedEvent,
    check_event_id,
)
from treadle.runtime.journal import JournalError
from treadle.runtime.queue._board import Board, Cancel, first_claim
from treadle.runtime.queue._records import Offer, OffersPlaces, Place, QueueStats, Submitted
from treadle.runtime.runs import (
    DEFAULT_QUEUE,
    ENDS,
    Accepted,
    Change,
    Queued,
    Resumption,
    Run,
    RunMode,
    RunOptions,
    RunRequest,
    RunStateError,
    RunStatus,
    RunStore,
    ThreadBusyError,
)
from treadle.runtime.runs.beginning import Headstart

THREAD_STAYS = timedelta(seconds=30)
"""How long a thread of one run alone stays after it, for whoever still reads of it."""


class Queue:
    """The runs that wait for a worker.

    Args:
        redis: the connection to Redis.
        prefix: the tenant's key prefix.
        store: where runs are kept.
        preparation: checks requests and prepares their runs.
        rollback: undoes what a stopped run did to its thread.
        bells: what rings when something happens to a run.
        states: what keeps the states that runs leave.
        keep: how long a run is kept.

    Attributes:
        board: the queue as it lies in Redis.
        workers: the workers of this process that work on it.
    """

    def __init__(
        self,
        redis: Any,
        prefix: str,
        *,
        store: RunStore,
        preparation: Preparation,
        rollback: Rollback,
        bells: Bells,
        states: KeptStates,
        keep: timedelta,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._store = store
        self._preparation = preparation
        self._rollback = rollback
        self._bells = bells
        self._keep = keep
        self._reader = EventReader(redis, bells)
        self._marks = Marks(redis)
        self.workers: list[OffersPlaces] = []
        self._feeds: dict[str, Feed] = {}
        self._states = states
        self._driver = driver_of(redis, "Queue")
        self.board = Board(self._driver, prefix)

    async def submit(self, request: RunRequest, first: Sequence[ScriptCall] = ()) -> Queued:
        """Accept a run and put it into the queue.

        When this returns, the run is kept: whatever dies from now on, a worker will execute it. A
        request that was cut off can be sent again with the same key.

        Args:
            request: the run.
            first: what must be in Redis before it, such as what describes its thread.

        Raises:
            UserError: the request cannot be used.
            ThreadBusyError: the thread has a run already, and ``multitask`` is ``reject``.
        """
        await self._preparation.ready(request.agent)
        run, given = self._preparation.requested(request, self._prefix, self._keep)
        return await uninterrupted(self._submit(run, given, request, first))

    async def _submit(
        self, run: Run, given: Any, request: RunRequest, first: Sequence[ScriptCall]
    ) -> Queued:
        is_known = request.key is not None and await self._store.find(run.id) is not None
        if request.multitask == "reject" and not is_known and await self._is_held(run.thread_id):
            raise _busy(run.thread_id)
        if request.key is None:  # Nobody else has its id: no reply decides what follows.
            calls, accepted = await self._preparation.accepting(run, given, request)
            with self._offered(request.queue) as offer:
                await self._put_first(accepted, request, [*first, *calls], offer)
            return Queued(run, is_new=True)
        for call in first:
            await self._driver.ask(call)
        await self.board.announce(run.id)
        is_new = await self._preparation.accept(run, given, request)
        if not is_new:
            run = await self._store.get(run.id)
        if run.status is RunStatus.PENDING:
            await self._put(run, request, is_new=is_new)
        else:
            await self.board.withdraw(run.id)
        return Queued(run, is_new)

    async def _put_first(
        self,
        accepted: Accepted,
        request: RunRequest,
        first: Sequence[ScriptCall],
        offer: Offer | None,
    ) -> None:
        """Put a new run into the queue; where a worker here takes it, it begins with that."""
        run, is_watched = accepted.run, request.options.is_watched
        if offer is None:
            await self._put(run, request, is_new=True, first=first)
            return
        lock = free_lock(self._prefix, run.thread_id, offer.lease)
        holder = self.board.holder(run.id, offer.worker)
        begins = holder is not None and offer.is_at_once and _begins_with_input(accepted)
        begin = self._store.beginning(run, is_watched=is_watched, lock=lock, holder=holder)
        then = [begin] if begins else []
        put = await self._put(run, request, is_new=True, first=first, offer=offer, then=then)
        if put.said != "taken":
            return
        feed = self._feed(run.id)
        headstart = Headstart.of(run, lock, put.following[0]) if then else None
        if headstart is not None and is_watched:
            feed.begin(headstart.begun.told)
        offer.take(first_claim(run, request.queue), accepted, feed, headstart)

    @contextmanager
    def _offered(self, queue: str) -> Iterator[Offer | None]:
        """Give a free place of a worker of this process, where there is one."""
        with ExitStack() as places:
            offers = (places.enter_context(one.offering(queue)) for one in self.workers)
            yield next((offer for offer in offers if offer is not None), None)

    def _feed(self, run_id: str) -> Feed:
        """Return what hands the events of a run on that a worker of this process has taken."""
        feed = Feed(self._bells.ring, lambda: self._feeds.pop(run_id, None))
        self._feeds[run_id] = feed
        return feed

    async def _put(
        self,
        run: Run,
        request: RunRequest,
        *,
        is_new: bool,
        first: Sequence[ScriptCall] = (),
        offer: Offer | None = None,
        then: Sequence[ScriptCall] = (),
    ) -> Submitted:
        put = await self.board.submit(
            *(run.id, run.thread_id, request.queue, request.after, request.multitask),
            None if request.keep_thread else THREAD_STAYS,
            first,
            offer=offer,
            then=then,
        )
        if put.said == "busy":
            if is_new:
                await self._store.discard(run)
            raise _busy(run.thread_id, put.runs[0])
        for run_id in put.runs:
            await self._stop(run_id, "rollback" if request.multitask == "rollback" else "interrupt")
        return put

    async def _is_held(self, thread_id: str) -> bool:
        return await is_locked(self._redis, self._prefix, thread_id)

    async def resume(
        self,
        run_id: str,
        answers: object = None,
        *,
        options: RunOptions | None = None,
        change: Change | None = None,
    ) -> Run:
        """Put a run into the queue again that waits for an answer, failed or was stopped.

        Args:
            run_id: the run.
            answers: as for `Runtime.resume`.
            options: how its graph is executed from now on; as before when not given.
            change: what happens once to its state, in the step that takes the answers; what the
                options say when not given.

        Raises:
            UserError: there is no such run, or the answers do not fit.
            RunStateError: it is under way, or came to its end.
        """
        run = await self._store.get(run_id)
        if options is not None:
            change = change or Change.of(options)
            options = replace(options, update=None, goto=())  # They are taken once.
        resumption = await self._preparation.answered(run, answers, change or Change(), options)
        return await uninterrupted(self._resume(run, resumption, options))

    async def _resume(self, run: Run, resumption: Resumption, options: RunOptions | None) -> Run:
        await self.board.announce(run.id)
        if options is not None:
            await self._store.change_options(run, options)
        if not await self._store.again(run, resumption):
            await self.board.withdraw(run.id)
            raise RunStateError(f"The run {run.id} is under way.", hint="Wait for its end.")
        await self.put_back(run.id)
        return await self._store.get(run.id)

    async def put_back(self, run_id: str, age: timedelta = timedelta(0)) -> None:
        """Submit a run that was announced and whose submitter died before it could follow.

        Args:
            run_id: the run.
            age: how long ago it was announced, by the clock of Redis.
        """
        try:
            run = await self._store.get(run_id)
            accepted = await self._store.accepted(run.id, run.thread_id)
        except (UnknownNameError, JournalError):
            accepted = None
        if accepted is None or accepted.run.status is not RunStatus.PENDING:
            await self.board.withdraw(run_id)
            return
        run, request = accepted.run, accepted.request
        seconds = 0 if accepted.resumption else request.get("after_seconds", 0)
        delay = max(timedelta(0), timedelta(seconds=seconds) - age)
        queue = str(request.get("queue", DEFAULT_QUEUE))
        stay = None if request.get("keep_thread", True) else THREAD_STAYS
        words = (run.id, run.thread_id, queue, delay)
        await self.board.submit(*words, "enqueue", stay, is_again=True)

    async def cancel(self, run_id: str, *, rollback: bool = False) -> Run:
        """Stop a run, at once where it waits and as soon as its worker can where it is at work.

        Args:
            run_id: the run.
            rollback: whether what it did to its thread is undone as well.

        Raises:
            UnknownNameError: there is no such run.
            RunStateError: it is at its end, or at work outside the queue.
        """
        run = await self._store.get(run_id)
        if run.status in ENDS - {RunStatus.INTERRUPTED}:
            raise RunStateError(f"The run {run.id} is at its end: {run.status}.")
        return await uninterrupted(self._cancel(run, "rollback" if rollback else "interrupt"))

    async def _cancel(self, run: Run, how: Cancel) -> Run:
        state = await self.board.cancel(run.id, how)
        if state != "running":
            is_stopped = await self._stop(run.id, how)
            if not is_stopped and not state:
                raise RunStateError(
                    f"The run {run.id} is at work outside the queue.",
                    hint="Stop the program that asked.",
                )
        return await self._store.get(run.id)

    async def _stop(self, run_id: str, how: Cancel) -> bool:
        """Stop a run that is not at work; return whether it was."""
        run = await self._store.get(run_id)
        is_stopped = await self._store.cancel(run)
        if is_stopped:
            if how == "rollback" and run.attempt:
                await self._rollback.undo(run)
            await self.board.complete(run_id)
        return is_stopped

    async def wait(self, run: Run | str) -> Run:
        """Return a run when it is at its end or waits for a person.

        Args:
            run: the run, as it was read last, or its id.

        Raises:
            UnknownNameError: there is no such run.
        """
        ended, _ = await self.outcome(run, 0)
        return ended

    async def outcome(self, run: Run | str, count: int) -> tuple[Run, list[StreamedEvent]]:
        """Do as ``wait``, and return what the run streamed last as well, the last event first.

        Args:
            run: as for ``wait``.
            count: how many events at most.

        Raises:
            UnknownNameError: there is no such run.
        """
        found = await self._store.get(run) if isinstance(run, str) else run
        if found.status in ENDS and not count:
            return found, []
        feed = self._feeds.get(found.id)
        if feed is not None and (ended := await feed.outcome()) is not None:
            handed = feed.latest(count)
            if handed is None:
                return ended, await self.latest_events(ended, count)
            return ended, await self._states.filled(found.thread_id, handed)
        async with self._bells.on(self._store.keys(found.thread_id, found.id).record) as bell:
            while True:
                # Asked together: they share a round trip, in this order.
                events = self.latest_events(found, count) if count else _none()
                found, latest = await asyncio.gather(self._again(found), events)
                if found.status in ENDS:
                    return found, latest
                await bell.wait()

    async def _again(self, run: Run) -> Run:
        """Read a run again."""
        found = await self._store.find(run.id, run.thread_id)
        return found or await self._store.get(run.id)

    async def stopped_early(self, run: Run) -> str:
        """Return why a run ended with what it knew until then; empty where it did not."""
        return await self._store.stopped_early(run)

    async def events(self, run_id: str, after: str = "0") -> AsyncIterator[StreamedEvent]:
        """Yield what a run streams, as it happens, until it is at its end or waits for a person.

        Any number of readers can read, each at its own speed, and each can go on where it was cut
        off. What is streamed is said by the request's ``options.stream``.

        Args:
            run_id: the run.
            after: the id of the last event known; ``"0"`` reads from the first.

        Raises:
            UnknownNameError: there is no such run.
            InputError: ``after`` is no event's id.
        """
        check_event_id(after)
        async with aclosing(self.event_pages(await self._store.get(run_id), after)) as pages:
            async for page in pages:
                for event in page:
                    yield event

    async def event_pages(
        self, run: Run, after: str = "0"
    ) -> AsyncGenerator[Sequence[StreamedEvent]]:
        """Yield what a run streams as `events` does, those that are there at once together."""
        check_event_id(after)
        keys = self._store.keys(run.thread_id, run.id)
        async for page in self._reader.pages(keys, after, self._feeds.get(run.id)):
            if told := await self._states.filled(run.thread_id, page):
                yield told

    async def marked(self, run: Run, number: int) -> Mark | None:
        """Return the last place in a run's events, up to a number, that `mark` noted."""
        return await self._marks.find(self._store.keys(run.thread_id, run.id), number)

    async def mark(self, run: Run, mark: Mark) -> None:
        """Note a place in a run's events, for who reads on there and counts what they tell."""
        await self._marks.keep(self._store.keys(run.thread_id, run.id), mark)

    def beginnings(self, thread_id: str) -> AbstractAsyncContextManager[Bell]:
        """Give a bell that rings whenever an attempt of a run begins on a thread."""
        return self._bells.on(self._store.keys(thread_id, "").runs)

    async def latest_events(self, run: Run, count: int = 1) -> list[StreamedEvent]:
        """Return what a run streamed last, the last event first."""
        latest = await self._reader.latest(self._store.keys(run.thread_id, run.id), count)
        return await self._states.filled(run.thread_id, latest)

    async def place(self, run_id: str) -> Place | None:
        """Return where a run stands in the queue; ``None`` where it does not."""
        return await self.board.place(run_id)

    async def stats(self, queues: Sequence[str] = (DEFAULT_QUEUE,)) -> QueueStats:
        """Count what waits and what is at work in the named queues."""
        return await self.board.stats(queues)

    async def dead(self, limit: int = 50) -> list[tuple[str, str]]:
        """Return the ids of the runs that were given up, the latest first, each with the reason."""
        return await self.board.dead(limit)


async def _none() -> list[StreamedEvent]:
    return []


def _begins_with_input(accepted: Accepted) -> bool:
    """Tell whether a run begins with what it was given, whatever its thread holds."""
    return accepted.given is not None and accepted.run.mode is RunMode.LIVE


def _busy(thread_id: str, run_id: str = "") -> ThreadBusyError:
    which = f": {run_id}" if run_id else ""
    return ThreadBusyError(
        f"The thread {thread_id!r} has a run already{which}.",
        hint="Wait for its end, or submit with multitask='enqueue'.",
    )
