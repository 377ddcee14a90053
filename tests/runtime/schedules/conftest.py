"""What the tests of schedules share: a clock of their own, and an executor they can see into."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from treadle.core.errors import InputError, RedisError
from treadle.core.scheduling import ScheduleSettings
from treadle.memory import connect
from treadle.runtime.schedules import Ended, Launched, Schedule, Scheduler, ScheduleStore

PREFIX = "treadle:main:"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


class Queue:
    """The far end: accepts each fire once, and ends its run when it is told to, or at once."""

    def __init__(self) -> None:
        self.fires: list[str] = []
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.refuses = False
        self.fails = 0
        self.hangs = False
        self.ends_at_once = True
        self.ends: dict[str, asyncio.Future[Ended]] = {}

    async def launch(self, schedule, fire):
        self.asked.append(fire.id)
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            self.fails -= 1
            raise RedisError("Redis is away.")
        if self.refuses:
            raise InputError("There is no such agent.", hint="Make one.")
        if fire.id not in self.fires:  # The key of a client makes it one run.
            self.fires.append(fire.id)
            self.ends[f"run of {fire.id}"] = asyncio.get_running_loop().create_future()
        return Launched(f"run of {fire.id}", "a thread")

    async def cancel(self, run_id):
        self.cancelled.append(run_id)
        self.end(run_id.removeprefix("run of "), "cancelled")

    async def wait(self, run_id):
        if self.ends_at_once:
            return Ended("success")
        return await asyncio.shield(self.ends[run_id])

    def end(self, fire_id, status="success", **fields):
        self.ends[f"run of {fire_id}"].set_result(Ended(status, **fields))


@pytest.fixture
def clock():
    return Clock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
async def make_store(redis_url, clock):
    """Return what opens a store over a connection of its own."""
    async with AsyncExitStack() as stack:

        async def make():
            client = await stack.enter_async_context(connect(redis_url))
            return ScheduleStore(client, PREFIX, timedelta(days=30), clock)

        yield make


@pytest.fixture
async def store(make_store):
    return await make_store()


@pytest.fixture
def add(store, clock):
    """Return what keeps a schedule."""

    async def add(name="it", **told):
        chosen = ScheduleSettings(**{"agent": "assistant", "input": "Go on.", **told})
        following = chosen.timing(clock.now).after(clock.now)
        return await store.put(Schedule(name, chosen, "a test", clock.now, next=following))

    return add


@pytest.fixture
async def scheduler(store, queue):
    return Scheduler(store, queue)


async def settled(scheduler):
    """Deal with what is due until nothing more is under way that ends by itself."""
    while True:
        looked = await scheduler.step()
        tasks = list(scheduler._following.values())
        if not tasks:
            return looked
        await asyncio.wait(tasks, timeout=5)
