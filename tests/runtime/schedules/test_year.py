"""A year of schedules in twenty zones, with five schedulers and a clock that does what it likes."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.test_calendar import ZONES
from tests.runtime.schedules.conftest import PREFIX, Clock, Queue, settled
from treadle.core.calendar import moments
from treadle.core.scheduling import ScheduleSettings
from treadle.memory import connect
from treadle.runtime.schedules import Schedule, Scheduler, ScheduleStore
from treadle.runtime.schedules._reckoning import ON_TIME, due, fire_id

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=365)
LINES = {
    "short": ["30 2 * * SUN", "0 0 1,15 * *"],  # most clocks are changed on Sundays
    "long": ["30 2 * * *", "0 0 * * MON", "15 1 1,15 * *"],
}


class House:
    """Five schedulers, each over a connection of its own, and one clock."""

    def __init__(self, clock, queue, stores):
        self.clock, self.queue, self.stores = clock, queue, stores
        self.schedulers = [Scheduler(store, queue) for store in stores]

    async def add(self, name, chosen):
        following = chosen.timing(self.clock.now).after(self.clock.now)
        made = Schedule(name, chosen, "a test", self.clock.now, next=following)
        await self.stores[0].put(made)
        return made

    async def step(self):
        """Let all of them look at once."""
        return await asyncio.gather(*(settled(each) for each in self.schedulers))


@pytest.fixture
def house_of(redis_url):
    """Return what opens a house; a context, so that each example has a Redis of its own."""

    class Opening(AsyncExitStack):
        async def __aenter__(self):
            await super().__aenter__()
            clock = Clock(BEGIN)
            clients = [await self.enter_async_context(connect(redis_url)) for _ in range(5)]
            await clients[0].flushall()
            month = timedelta(days=30)
            stores = [ScheduleStore(client, PREFIX, month, clock) for client in clients]
            return House(clock, Queue(), stores)

    return Opening


@pytest.mark.parametrize("lines", ["short", pytest.param("long", marks=pytest.mark.soak)])
async def test_every_moment_of_a_year_fires_once(house_of, lines):
    """Nobody is late here: what fires is what the calendar says, for each zone and line."""
    async with house_of() as house:
        expected = set()
        for zone in ZONES:
            for line in LINES[lines]:
                name = f"{zone} {line}"
                chosen = ScheduleSettings(cron=line, tz=zone, input="Go on.", overlap="queue")
                await house.add(name, chosen)
                planned = takewhile(lambda one: one <= END, moments(chosen.timing(BEGIN), BEGIN))
                expected |= {fire_id(name, one) for one in planned}
        while house.clock.now < END:
            looked = await house.step()
            earliest = min(each.earliest for each in looked if each.earliest)
            house.clock.now = min(max(earliest, house.clock.now + timedelta(seconds=1)), END)
        await house.step()
        assert Counter(house.queue.asked) == Counter(expected)
        assert len(expected) > 1_000


def zoned(draw_zone, line, jitter, policy):
    chosen = {"cron": line, "tz": draw_zone, "missed": policy, "window": "6h", "input": "Go on."}
    return ScheduleSettings(**chosen, jitter=f"{jitter}s", overlap="queue")


SCHEDULES = st.builds(
    zoned,
    st.sampled_from(ZONES),
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 0,1,2,3 * * *", "10 */6 * * *"]),
    st.integers(0, 300),
    st.sampled_from(["skip", "once", "all"]),
)
HOUR, DAY = 3_600, 86_400
STEPS = st.one_of(
    st.integers(1, 1_200), st.sampled_from([HOUR, -HOUR, DAY, 2 * HOUR + 7, 30, 30, 30])
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    begin=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 28)),
    chosen=st.lists(SCHEDULES, min_size=1, max_size=4),
    steps=st.lists(STEPS, min_size=1, max_size=15),
    seed=st.integers(0, 1_000),
)
async def test_a_clock_that_jumps_and_a_house_that_is_down(begin, chosen, steps, seed, house_of):
    """Each fire is launched once, none early, and only as the policy for missed ones allows."""
    async with house_of() as house:
        house.clock.now = begin.replace(tzinfo=UTC)
        rng = random.Random(seed)
        made = {f"s{n}": await house.add(f"s{n}", each) for n, each in enumerate(chosen)}
        latest, launched_at = house.clock.now, {}
        looks = [house.clock.now]
        for step in steps:
            house.clock.move(seconds=step)
            rng.shuffle(house.schedulers)
            await house.step()
            looks.append(house.clock.now)
            latest = max(latest, house.clock.now)
            for id_ in house.queue.fires:
                launched_at.setdefault(id_, house.clock.now)

        assert max(Counter(house.queue.asked).values(), default=1) == 1
        for name, schedule in made.items():
            check(name, schedule, launched_at, looks, latest)


def check(name, schedule, launched_at, looks, latest):
    """Compare with what the policy says of the moments that each look met first."""
    told = schedule.settings
    fired = {id_: at for id_, at in launched_at.items() if id_.startswith(f"{name}@")}
    expected = {}
    met = {}
    for moment in takewhile(lambda one: one <= latest, moments(schedule.timing, looks[0])):
        at = due(name, moment, told.jitter)
        seen = next((look for look in looks if look >= at), None)
        if seen is not None:
            met.setdefault(seen, []).append((fire_id(name, moment), seen - at))
    for seen, those in met.items():
        if told.missed == "once" and any(late > ON_TIME for _, late in those):
            those = those[-1:]  # noqa: PLW2901 - one makes up for all
        elif told.missed != "once":
            bound = told.window if told.missed == "all" else ON_TIME
            those = [each for each in those if each[1] <= bound]  # noqa: PLW2901
        expected |= dict.fromkeys((id_ for id_, _ in those), seen)
    assert fired == expected
