"""The scheduler: hands fires to the queue when they are due, and follows their runs.

Any number of schedulers work side by side. What is due is handed to one of them at a time; a fire
is claimed in one step with planning the next, so none happens twice; and what a scheduler took up
and did not finish is handed to another when its lease is over. Nothing is asked while nothing is
due: a scheduler sleeps until the earliest moment, or until the bell is rung.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from redis.exceptions import RedisError as DriverError

from treadle.core.errors import RedisError, TreadleError, UnknownNameError
from treadle.core.tasks import stopped
from treadle.runtime._attending import attend
from treadle.runtime.schedules._reckoning import reckon
from treadle.runtime.schedules._record import Fire, FireStatus, Schedule
from treadle.runtime.schedules._store import LEASE, Looked, ScheduleStore

_HANDED_BACK = timedelta(seconds=1)
LONGEST_REST = timedelta(seconds=10)
"""A clock that is set anew is noticed after this at the latest."""
_log = logging.getLogger("treadle.schedules")


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that the queue has accepted."""

    run_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run stands.

    Attributes:
        status: as the run's record has it.
        usd: what it cost, in US dollars.
        tokens: how many tokens it used.
        error: why it failed, or ended with what it knew until then.
    """

    status: str
    usd: Decimal = Decimal(0)
    tokens: int = 0
    error: str = ""


class Launcher(Protocol):
    """What executes runs."""

    async def launch(self, schedule: Schedule, fire: Fire) -> Launched:
        """Accept a fire as a run, once: the same fire again gives the same run.

        Raises:
            RedisError: it could not be reached; it is tried again.
            TreadleError: the fire cannot become a run.
        """
        ...

    async def cancel(self, run_id: str) -> None:
        """Stop a run, if it is not over."""
        ...

    async def wait(self, run_id: str) -> Ended:
        """Return how a run stands as soon as it is over, or waits for a person.

        Raises:
            UnknownNameError: it is no longer kept.
        """
        ...


class Scheduler:
    """Fires schedules while it runs.

    Args:
        store: the schedules.
        launcher: what executes their runs.
        serves: whether a schedule is to be fired here; every one is where it is not given.
    """

    def __init__(
        self,
        store: ScheduleStore,
        launcher: Launcher,
        serves: Callable[[Schedule], bool] = lambda _: True,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._serves = serves
        self._following: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Fire what is due until `stop` is called; a Redis that is away is waited for."""
        try:
            await attend(self.step, self._rest, self._stopping, what="Schedules")
        finally:
            await self.aclose()

    @property
    def is_busy(self) -> bool:
        """Whether it follows runs: others take them over unless it looks again and again."""
        return bool(self._following)

    async def aclose(self) -> None:
        """Follow no more runs; they go on, and another scheduler follows them."""
        await stopped(*self._following.values())

    def stop(self) -> None:
        """End `run`; runs that were handed to the queue go on."""
        self._stopping.set()

    async def step(self) -> Looked:
        """Deal with all that is due, and return what was found when nothing more was."""
        while True:
            looked = await self._store.look(self._following)
            for name in looked.schedules:
                await self._fire_due(name, looked.now)
            await self._begin(looked.fires)
            for id_ in looked.runs:
                self._follow(id_)
            if not (looked.schedules or looked.fires):
                return looked

    async def _rest(self, looked: Looked) -> None:
        rest = LONGEST_REST
        if looked.earliest is not None:
            rest = min(rest, max(looked.earliest - looked.now, timedelta(milliseconds=1)))
        await self._store.wait_for_bell(rest)

    async def _fire_due(self, name: str, now: datetime) -> None:
        try:
            schedule = await self._store.find(name)
        except TreadleError as problem:
            _log.error("%s", problem)
            return
        if schedule is None or schedule.next is None or schedule.is_paused:
            return
        if not self._serves(schedule):
            if schedule.due is not None and now - schedule.due < LEASE:
                await self._store.hand_back(name, now + _HANDED_BACK)
            return
        found = reckon(name, schedule.settings, schedule.timing, schedule.next, now)
        fired = await self._store.claim(schedule, found, now)
        await self._begin(fired or ())

    async def _begin(self, ids: Sequence[str]) -> None:
        """Hand fires to the queue, those of a schedule in their order."""
        for id_ in ids:
            try:
                fire = await self._store.fire(id_)
                if fire is not None:
                    await self._begin_one(fire)
            except RedisError:
                raise
            except TreadleError as problem:  # It comes up again after a lease; others go on.
                _log.error("%s", problem)

    async def _begin_one(self, fire: Fire) -> None:
        schedule = await self._store.find(fire.schedule)
        if schedule is None:
            await self._store.ended(
                fire.id, fire.schedule, FireStatus.SKIPPED, note="The schedule was removed."
            )
            return
        if not self._serves(schedule):
            return  # It comes up again after a lease, for whoever serves it.
        overlap = schedule.settings.overlap
        answer, before = await self._store.start(fire, overlap)
        if answer == "busy" and overlap == "cancel":
            if not await self._stop_run(before):
                return  # Its run is being made at the moment; this fire comes up again.
            answer, before = await self._store.start(fire, overlap, before)
        if answer in {"busy", "full"}:
            note = "The run before it was not over."
            if answer == "full":
                note = "Too many fires wait for the run before them."
            await self._store.ended(fire.id, fire.schedule, FireStatus.SKIPPED, note=note)
        elif answer == "go":
            await self._launch(schedule, fire)

    async def _launch(self, schedule: Schedule, fire: Fire) -> None:
        try:
            launched = await self._launcher.launch(schedule, fire)
        except RedisError:
            raise
        except TreadleError as problem:
            await self._store.ended(
                fire.id, fire.schedule, FireStatus.REFUSED, note=str(problem)[:1_000]
            )
            return
        now = await self._store.now()
        await self._store.launched(fire, launched.run_id, launched.thread_id, now)
        self._follow(fire.id)

    async def _stop_run(self, fire_id: str) -> bool:
        """Stop the run of a fire; return whether that could be done."""
        fire = await self._store.fire(fire_id)
        if fire is not None and fire.status is FireStatus.OPEN:
            return False
        if fire is not None and fire.run_id:
            with suppress(UnknownNameError):
                await self._launcher.cancel(fire.run_id)
        return True

    def _follow(self, id_: str) -> None:
        if id_ not in self._following:
            task = asyncio.create_task(self._followed(id_))
            self._following[id_] = task
            task.add_done_callback(lambda _: self._following.pop(id_, None))

    async def _followed(self, id_: str) -> None:
        """Wait until a fire's run is over. What fails here is taken up again after a lease."""
        with suppress(DriverError, TreadleError, OSError):
            fire = await self._store.fire(id_)
            if fire is None or not fire.run_id:
                await self._store.ended(id_, id_.rpartition("@")[0], FireStatus.ERROR)
                return
            try:
                ended = await self._launcher.wait(fire.run_id)
            except UnknownNameError as problem:
                ended = Ended("error", error=str(problem))
            if ended.status == FireStatus.INTERRUPTED:
                if fire.status is not FireStatus.INTERRUPTED:
                    await self._store.interrupted(fire)
                return
            status, note = FireStatus(ended.status), ended.error[:1_000]
            told = {"usd": ended.usd, "tokens": ended.tokens, "note": note}
            await self._store.ended(id_, fire.schedule, status, **told)
