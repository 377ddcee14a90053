"""Fires: each once, in order, whoever dies, and as the policy for overlap says."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.runtime.schedules.conftest import settled
from tests.support.waiting import eventually
from treadle.runtime.schedules import FireStatus, Scheduler, ScheduleStore
from treadle.runtime.schedules._store import KEPT, LEASE


def at(hour, name="it"):
    return f"{name}@20260101T{hour:02}0000Z"


async def test_a_fire_becomes_a_run_and_its_outcome_is_kept(add, scheduler, queue, store, clock):
    await add(every="1h")
    queue.ends_at_once = False
    looked = await scheduler.step()
    assert (queue.fires, looked.earliest - looked.now) == ([], timedelta(hours=1))

    clock.move(hours=1)
    await scheduler.step()
    assert queue.fires == [at(1)]
    [fire] = await store.history("it", 10)
    assert (fire.status, fire.run_id) == (FireStatus.RUNNING, f"run of {at(1)}")
    assert (fire.planned, fire.fired) == (clock.now, clock.now)

    clock.move(minutes=2)
    queue.end(at(1), usd=Decimal("0.0125"), tokens=900)
    await settled(scheduler)
    [fire] = await store.history("it", 10)
    assert (fire.status, fire.usd, fire.tokens) == (FireStatus.SUCCESS, Decimal("0.0125"), 900)
    assert fire.ended == clock.now
    assert (await store.get("it")).active == ""


async def test_moments_do_not_drift_when_schedulers_are_late(add, scheduler, queue, clock):
    await add(every="10m")
    for _ in range(6):
        clock.move(minutes=10, seconds=7)
        await settled(scheduler)
    assert queue.fires == [f"it@20260101T00{n}000Z" for n in range(1, 6)] + [at(1)]


@pytest.mark.parametrize("policy", ["skip", "queue", "cancel"])
async def test_overlap(policy, add, scheduler, queue, store, clock):
    await add(every="1h", overlap=policy)
    queue.ends_at_once = False
    for _ in range(3):
        clock.move(hours=1)
        await scheduler.step()
    if policy == "skip":
        assert queue.fires == [at(1)]
        queue.end(at(1))
        await settled(scheduler)
        clock.move(hours=1)
        await scheduler.step()
        assert queue.fires == [at(1), at(4)]
        statuses = [fire.status.value for fire in await store.history("it", 10)]
        assert statuses == ["running", "skipped", "skipped", "success"]
    elif policy == "queue":
        assert queue.fires == [at(1)]
        for hour in (1, 2, 3):
            queue.end(at(hour))
            expected = [at(each) for each in range(1, min(hour + 1, 3) + 1)]
            await eventually(lambda hour=hour: at(hour) not in scheduler._following)
            await scheduler.step()
            assert queue.fires == expected
    else:
        assert queue.fires == [at(1), at(2), at(3)]
        assert queue.cancelled == [f"run of {at(1)}", f"run of {at(2)}"]
        await eventually(lambda: set(scheduler._following) == {at(3)})
        statuses = [fire.status.value for fire in await store.history("it", 10)]
        assert statuses == ["running", "cancelled", "cancelled"]


async def test_a_run_that_waits_for_a_person_is_not_over(add, scheduler, queue, store, clock):
    await add(every="1h", overlap="skip")
    queue.ends_at_once = False
    clock.move(hours=1)
    await scheduler.step()
    queue.end(at(1), "interrupted")
    await settled(scheduler)
    assert (await store.fire(at(1))).status is FireStatus.INTERRUPTED
    clock.move(hours=1)
    await settled(scheduler)
    assert (await store.fire(at(2))).status is FireStatus.SKIPPED
    queue.ends[f"run of {at(1)}"] = asyncio.get_running_loop().create_future()
    queue.end(at(1), "success")  # Somebody answered; it is seen when the lease is over.
    clock.now += LEASE
    await settled(scheduler)
    assert (await store.fire(at(1))).status is FireStatus.SUCCESS
    assert (await store.get("it")).active == ""


async def test_what_cannot_become_a_run_is_refused_with_the_reason(
    add, scheduler, queue, store, clock
):
    await add(every="1h")
    queue.refuses = True
    clock.move(hours=1)
    await settled(scheduler)
    [fire] = await store.history("it", 1)
    assert (fire.status, fire.note) == (FireStatus.REFUSED, "There is no such agent. Make one.")
    queue.refuses = False
    clock.move(hours=1)
    await settled(scheduler)
    assert queue.fires == [at(2)]


async def test_a_fire_survives_the_scheduler_that_claimed_it(add, make_store, queue, clock):
    await add(every="1h")
    dying, other = Scheduler(await make_store(), queue), Scheduler(await make_store(), queue)
    queue.hangs = True
    clock.move(hours=1)
    claimed = asyncio.create_task(dying.step())
    await eventually(lambda: queue.asked)
    claimed.cancel()
    await asyncio.gather(claimed, return_exceptions=True)
    queue.hangs = False
    await settled(other)
    assert queue.fires == []  # It is still the other's.
    clock.now += LEASE
    await settled(other)
    assert queue.fires == [at(1)]


async def test_a_run_is_followed_by_another_when_its_scheduler_died(
    add, make_store, queue, store, clock
):
    await add(every="1h")
    queue.ends_at_once = False
    dying, other = Scheduler(await make_store(), queue), Scheduler(await make_store(), queue)
    clock.move(hours=1)
    await dying.step()
    for task in dying._following.values():
        task.cancel()
    queue.end(at(1))
    clock.now += LEASE
    await settled(other)
    assert (await store.fire(at(1))).status is FireStatus.SUCCESS


@pytest.mark.parametrize("damaged", ["of", "fire"])
async def test_what_cannot_be_read_holds_up_nothing_else(
    damaged, add, scheduler, queue, clock, redis_6_2
):
    for name in ("broken", "sound"):
        await add(name, every="1h")
    queue.hangs = True
    clock.move(hours=1)
    claimed = asyncio.create_task(scheduler.step())
    await eventually(lambda: queue.asked)
    claimed.cancel()
    await asyncio.gather(claimed, return_exceptions=True)
    queue.hangs = False
    with redis_6_2.client() as client:
        [key] = client.scan_iter(f"*:{damaged}:broken*")
        client.hset(key, mapping={"settings": "{", "planned_ms": "soon"})
    clock.now += LEASE
    await settled(scheduler)
    assert at(1, "sound") in queue.fires
    clock.move(hours=1)
    await settled(scheduler)
    assert at(2, "sound") in queue.fires


async def test_a_redis_that_is_away_loses_no_fire(add, store, queue, clock):
    await add(every="1h")
    queue.fails = 1
    scheduler = Scheduler(store, queue)
    clock.move(hours=1)
    running = asyncio.create_task(scheduler.run())
    await eventually(lambda: queue.asked)
    clock.now += LEASE
    await eventually(lambda: queue.fires == [at(1)])
    scheduler.stop()
    await running


async def test_a_change_rings_the_bell(add, store, queue, clock):
    """A scheduler that rests for long takes up what is added meanwhile."""
    scheduler = Scheduler(store, queue)
    running = asyncio.create_task(scheduler.run())
    await add(every="1h")
    assert await store.fire_now("it", "it@now")
    await eventually(lambda: queue.fires == ["it@now"], within_seconds=5)
    scheduler.stop()
    await running
    assert not await store.fire_now("nothing", "nothing@now")


async def test_a_scheduler_stops_also_while_it_connects(store, queue, monkeypatch):
    """The driver can swallow a cancellation that comes while it connects."""
    connecting = asyncio.Event()

    async def swallows(self, most):
        with suppress(asyncio.CancelledError):
            connecting.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(ScheduleStore, "wait_for_bell", swallows)
    scheduler = Scheduler(store, queue)
    running = asyncio.create_task(scheduler.run())
    await connecting.wait()
    scheduler.stop()
    await running


async def test_a_change_replaces_what_was_planned(add, scheduler, queue, store, clock):
    kept = await add(every="1h")
    assert await store.put(kept) is not None
    assert await store.put(kept) is None, "its revision is no longer the latest"
    clock.move(hours=1)
    assert await store.remove("it")
    assert not await store.remove("it")
    await settled(scheduler)
    assert queue.fires == []
    assert await store.history("it", 10) == []


async def test_a_removed_schedule_fires_nothing_that_waited(add, scheduler, queue, store, clock):
    await add(every="1h", overlap="queue")
    queue.ends_at_once = False
    for _ in range(2):
        clock.move(hours=1)
        await scheduler.step()
    await store.remove("it")
    queue.end(at(1))
    await settled(scheduler)
    assert queue.fires == [at(1)]


async def test_the_history_is_bounded_and_everything_of_a_fire_expires(
    add, scheduler, queue, store, clock, redis_6_2
):
    await add(cron="* * * * * *")
    for _ in range(KEPT // 50 + 2):
        clock.move(seconds=50)
        await settled(scheduler)
    assert len(await store.history("it", 10_000)) == KEPT
    with redis_6_2.client() as client:
        fires = list(client.scan_iter(match="*:fire:*"))
        assert len(fires) > KEPT
        assert all(client.pttl(key) > 0 for key in fires)
