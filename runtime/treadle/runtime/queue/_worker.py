"""A worker: claims runs from the queue and executes them, until it is told to stop."""

import asyncio
import logging
import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta

from langgraph.errors import GraphDrained
from redis.exceptions import RedisError as DriverError

from treadle.core.errors import (
    FencedError,
    ModelUnavailableError,
    RedisError,
    TreadleError,
    UnknownNameError,
)
from treadle.core.settings import Settings
from treadle.core.tasks import stopped
from treadle.runtime._execution import Executor
from treadle.runtime._forgetting import Forgetting
from treadle.runtime._preparing import Preparation
from treadle.runtime._rollback import Rollback
from treadle.runtime._work import Work, status_after
from treadle.runtime.events import Bells, Feed
from treadle.runtime.journal import JournalError
from treadle.runtime.queue._board import VERSION
from treadle.runtime.queue._leaving import Leaving
from treadle.runtime.queue._queue import Queue
from treadle.runtime.queue._records import Claimed, Job, Offer
from treadle.runtime.queue._running import Running
from treadle.runtime.runs import (
    DEFAULT_QUEUE,
    ENDS,
    STOPPED,
    Accepted,
    Run,
    RunStateError,
    RunStatus,
    RunStore,
    checked_queue,
)
from treadle.runtime.runs.beginning import Headstart
from treadle.runtime.runs.ending import Completion

LOOK_SECONDS = 1.0
"""How often a worker looks for runs whose worker died, and for what rang unheard."""
MAX_BACKOFF_SECONDS = 300.0
LEFT_ALONE = timedelta(seconds=5)
"""How soon a run of a newer version is offered again."""
_MORE = 2
"""What the queue says where another run is ready as one leaves it."""
_log = logging.getLogger("treadle.worker")
_REDIS = (RedisError, DriverError, OSError)
"""What is raised while Redis is away, restarts, or is replaced by its replica."""
_TRANSIENT = (RedisError, DriverError, ModelUnavailableError, ConnectionError, TimeoutError)


class Worker:
    """Executes queued runs; `treadle.runtime.Runtime.worker` makes one.

    Args:
        queue: the queue.
        store: where runs are kept.
        preparation: prepares claimed runs.
        executor: executes them.
        rollback: undoes what stopped runs did.
        forgetting: forgets threads of one run alone.
        bells: what rings when there is something to do.
        settings: the project's settings.
        queues: the named queues it serves, the first ones first.
        concurrency: how many runs it works on at once.

    Raises:
        InputError: a queue's name that cannot be used.

    Attributes:
        id: its name in the queue.
        is_stopping: whether it was told to stop.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        store: RunStore,
        preparation: Preparation,
        executor: Executor,
        rollback: Rollback,
        forgetting: Forgetting,
        bells: Bells,
        settings: Settings,
        queues: Sequence[str] = (DEFAULT_QUEUE,),
        concurrency: int | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self._queue = queue
        self._board = queue.board
        self._store = store
        self._preparation = preparation
        self._executor = executor
        self._rollback = rollback
        self._leaving = Leaving(forgetting, queue.board)
        self._bells = bells
        self._settings = settings.queue
        self._lease = timedelta(seconds=settings.runs.lease_seconds)
        self._keep = timedelta(days=settings.runs.keep_days)
        limits = settings.queue.concurrency
        self._limits = {checked_queue(name): limits.get(name, 0) for name in queues}
        self._concurrency = min(concurrency or settings.runs.concurrent, settings.runs.concurrent)
        self._running: set[Running] = set()
        self._ended: list[Job] = []
        self._wake = asyncio.Event()
        self._context = copy_context()
        self._offered = 0
        self._is_due = True
        self._none_offered = asyncio.Event()
        self.is_stopping = False
        self._is_over = False

    @property
    def busy(self) -> int:
        """How many runs it works on at the moment."""
        return len(self._running)

    def stop(self) -> None:
        """Claim no more, let the runs go on to the end of their superstep, and hand them over."""
        self.is_stopping = True
        self._wake.set()

    @contextmanager
    def offering(self, queue: str) -> Iterator[Offer | None]:
        """Offer a free place for a run that is about to be submitted; ``None`` where none is free.

        A run that is taken as it is submitted saves the claim, and reading what was just written.
        """
        if self.is_stopping or queue not in self._limits or not self._free:
            yield None
            return
        self._offered += 1
        try:
            is_at_once = self._executor.has_slot
            yield Offer(self.id, self._lease, self._limits[queue], is_at_once, self._start)
        finally:
            self._taken_back(1)

    def _taken_back(self, places: int) -> None:
        """Offer places no longer: they are free, or a run has them."""
        self._offered -= places
        if not self._offered:
            self._none_offered.set()
        if self._is_due and self._free:
            self._wake.set()

    @property
    def _free(self) -> int:
        return max(0, self._concurrency - len(self._running) - self._offered)

    async def run(self) -> None:
        """Work until `stop` is called, and all runs ended or were handed over."""
        listening = asyncio.create_task(self._listen())
        renewing = asyncio.create_task(self._renew_leases())
        self._context = copy_context()
        self._queue.workers.append(self)
        try:
            while not self.is_stopping:
                await self._look()
            await self._drain()
        finally:
            self._queue.workers.remove(self)
            for running in list(self._running):
                running.stop("drain")
            await self._settled(list(self._running))
            await self._complete()
            await self._leaving.aclose()
            self._is_over = True
            await stopped(listening, renewing)

    async def _look(self) -> None:
        """Claim what can be claimed, and sleep until there may be more."""
        self._wake.clear()
        sleep = LOOK_SECONDS
        try:
            claimed = await self._claim()
            for run_id, age in claimed.lost:
                await self._queue.put_back(run_id, age)
            self._leaving.forget(claimed.leaving)
            if claimed.again_in is not None:
                sleep = min(sleep, claimed.again_in.total_seconds())
        except _REDIS as error:
            self._is_due = True
            _log.warning("Redis does not answer, trying again: %s", error)
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - no secret
            return
        try:
            async with asyncio.timeout(sleep):
                await self._wake.wait()
        except TimeoutError:
            self._is_due = True

    async def _claim(self) -> Claimed:
        """Say which runs ended, and begin those that are claimed in their places.

        A place that a claim asks for cannot be offered meanwhile: only where something may wait
        are all free ones asked for.
        """
        ended, self._ended = self._ended, []
        wanted = self._free if self._is_due else min(self._free, len(ended))
        self._is_due = self._is_due and not wanted
        self._offered += wanted
        try:
            claimed = await self._board.claim(self.id, self._lease, wanted, self._limits, ended)
        except RedisError:
            self._ended += ended
            raise
        finally:
            self._taken_back(wanted)
        for job in claimed.jobs:
            self._start(job)
        if wanted and len(claimed.jobs) == wanted:
            self._rung()  # More may wait.
        return claimed

    def _rung(self) -> None:
        self._is_due = True
        if self._free:
            self._wake.set()

    async def _complete(self) -> None:
        """Take the last runs that ended out of the queue; who claims one finds it at its end."""
        with suppress(RedisError):
            for job in self._ended:
                await self._board.complete(job.run_id, job.claim)

    async def _listen(self) -> None:
        async with self._bells.on(*(self._board.ready_channel(q) for q in self._limits)) as bell:
            while True:
                await bell.wait()
                self._rung()

    async def _renew_leases(self) -> None:
        """Renew what this worker holds, and stop what is to be stopped or was lost."""
        async with self._bells.on(self._board.worker_channel(self.id)) as bell:
            # A driver that connects again can swallow a cancellation: the flag is what ends this.
            while not self._is_over:
                await bell.wait(self._lease.total_seconds() / 3)
                held = list(self._running)
                if not held:
                    continue
                try:
                    replies = await self._board.renew([one.job for one in held], self._lease)
                except _REDIS:
                    continue  # Redis may be back before the leases have lapsed.
                for running, reply in zip(held, replies, strict=True):
                    if reply:
                        running.stop(reply)

    def _start(
        self,
        job: Job,
        accepted: Accepted | None = None,
        feed: Feed | None = None,
        headstart: Headstart | None = None,
    ) -> None:
        if self._is_over:  # Its lease lapses, and then it is taken up elsewhere.
            if feed is not None:
                feed.close()
            return
        running = Running(job, feed=feed, headstart=headstart)
        # Whoever submitted it may be in a run, or a request, of its own.
        work = self._work(running, accepted)
        running.task = asyncio.create_task(work, context=self._context.copy())
        self._running.add(running)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(running)
            if self._ended or self._is_due or self.is_stopping:
                self._wake.set()
            if feed is not None:
                feed.close()
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("The run %s was left to another worker: %s", job.run_id, error)

        running.task.add_done_callback(ended)

    async def _work(self, running: Running, accepted: Accepted | None) -> None:
        try:
            if accepted is None:
                await self._handle(running)
            else:
                await self._execute(running, accepted)
        except asyncio.CancelledError:
            if not running.ending:
                raise
        except _REDIS as error:
            # Its lease lapses, and then it is taken up again, here or elsewhere.
            _log.warning("The run %s waits for Redis: %s", running.job.run_id, error)

    async def _handle(self, running: Running) -> None:
        job = running.job
        if job.version > VERSION:
            await self._board.release(job, LEFT_ALONE, "it is of a newer version", counts=False)
            return
        try:
            accepted = await self._store.accepted(job.run_id, job.thread_id)
        except JournalError as error:
            _log.error("The run %s is given up: %s", job.run_id, error)
            await self._board.bury(job, str(error), self._keep)
            return
        if accepted is None or accepted.run.status in ENDS:
            self._ended.append(job)
        elif job.cancel:
            await self._conclude(job, accepted.run, RunStatus.CANCELLED, STOPPED)
        elif job.claim > self._settings.attempts:
            reason = f"It was given up after {job.claim - 1} attempts: {job.reason}."
            await self._conclude(job, accepted.run, RunStatus.ERROR, reason, is_dead=True)
        else:
            await self._execute(running, accepted)

    async def _prepared(self, running: Running, accepted: Accepted) -> Work:
        """Return a claimed run with all that it is executed with; errors as for `claimed`."""

        def verdict(error: BaseException) -> RunStatus:
            running.is_stopped |= isinstance(error, asyncio.CancelledError)
            running.status = self._verdict(running, error)
            return running.status

        async def undone() -> None:
            if running.ending == "rollback" and not running.is_undone:
                await self._rollback.undo(accepted.run)
                running.is_undone = True

        return replace(
            await self._preparation.claimed(accepted),
            control=running.control,
            verdict=verdict,
            undone=undone,
            feed=running.feed,
            headstart=running.headstart,
            completion=self._completion(running.job),
        )

    async def _execute(self, running: Running, accepted: Accepted) -> None:
        job = running.job
        try:
            work = await self._prepared(running, accepted)
        except RedisError:
            raise
        except (TreadleError, TypeError) as error:
            run = await self._executor.given_up(accepted.run, running.headstart)
            await self._conclude(job, run, RunStatus.ERROR, str(error))
            return
        try:
            await self._executor.execute(work, lambda _: None)
        except asyncio.CancelledError:
            if not running.ending:
                raise
            running.is_stopped = True
            await self._stopped(running, accepted.run, STOPPED)
        except (FencedError, RunStateError, UnknownNameError) as error:
            await self._overtaken(job, accepted.run, error)
        except TreadleError as error:
            await self._failed(running, accepted.run, error)
        else:
            self._left(job, work.completion)

    async def _failed(self, running: Running, run: Run, error: TreadleError) -> None:
        if running.status is not None:
            await self._stopped(running, run, str(error))
        elif isinstance(error, RedisError):  # It has not begun; its lease lapses.
            raise error
        else:
            await self._conclude(running.job, run, RunStatus.ERROR, str(error))

    def _completion(self, job: Job) -> Completion | None:
        """Return what takes a run out of the queue as it comes to its end."""
        return self._board.completing(job, self._store.keys(job.thread_id, job.run_id).record)

    def _left(self, job: Job, completion: Completion | None) -> None:
        """Note what may follow a run that came to its end."""
        if completion is None or not completion.said:
            self._ended.append(job)
        elif completion.said == _MORE or self._limits.get(job.queue):
            self._is_due = True

    async def _overtaken(self, job: Job, run: Run, error: TreadleError) -> None:
        """Do what follows when a run is not as it was when it was claimed.

        Another attempt can have begun and been stopped since, and a Redis that was replaced by its
        replica may not know of this one: a run leaves the queue only when it is at its end.
        """
        _log.info("The run %s is not as it was: %s", job.run_id, error)
        now = await self._store.find(job.run_id)
        if now is None or now.status in ENDS:
            self._ended.append(job)
        elif isinstance(error, FencedError) or now.attempt != run.attempt:
            await self._board.release(job, self._backoff(job.claim), str(error))
        else:  # Nobody else touched it: it cannot be gone on with.
            await self._conclude(job, now, RunStatus.ERROR, str(error))

    def _verdict(self, running: Running, error: BaseException) -> RunStatus:
        """Decide what becomes of a run that was stopped or failed."""
        is_stop = isinstance(error, asyncio.CancelledError | GraphDrained)
        if is_stop and running.ending in ("interrupt", "rollback"):
            return RunStatus.CANCELLED
        if is_stop:
            return RunStatus.PENDING
        if isinstance(error, _TRANSIENT):
            running.is_exhausted = running.job.claim >= self._settings.attempts
            return RunStatus.ERROR if running.is_exhausted else RunStatus.PENDING
        return status_after(error)

    async def _stopped(self, running: Running, run: Run, reason: str) -> None:
        """Do what follows when an attempt was stopped or failed."""
        job = running.job
        if running.ending == "lost":
            return
        if running.status is RunStatus.PENDING:
            is_handed_over = running.ending == "drain"
            delay = timedelta(0) if is_handed_over else self._backoff(job.claim)
            await self._board.release(job, delay, reason, counts=not is_handed_over)
        elif running.is_exhausted:
            await self._board.bury(job, reason, self._keep)
        else:
            self._ended.append(job)

    async def _conclude(
        self, job: Job, run: Run, status: RunStatus, reason: str, *, is_dead: bool = False
    ) -> None:
        """End a run without working on it."""
        if job.cancel == "rollback":
            await self._rollback.undo(run)
        if status is not RunStatus.CANCELLED or not await self._store.cancel(run):
            await self._executor.conclude(run, status, reason)
        if is_dead:
            await self._board.bury(job, reason, self._keep)
        else:
            self._ended.append(job)

    def _backoff(self, claim: int) -> timedelta:
        usual = self._settings.backoff_seconds * 2.0 ** min(claim - 1, 20)
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        return timedelta(seconds=min(usual, MAX_BACKOFF_SECONDS) * jitter)

    async def _drain(self) -> None:
        while self._offered:  # What is taken there is handed over with the others.
            self._none_offered.clear()
            await self._none_offered.wait()
        held = list(self._running)
        for running in held:
            running.ending = running.ending or "drain"
            running.control.request_drain("the worker stops")
        await self._settled(held, self._settings.drain_seconds)
        for running in held:
            running.stop("drain")
        await self._settled(held)

    async def _settled(self, held: Sequence[Running], seconds: float | None = None) -> None:
        tasks = [running.task for running in held if running.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
