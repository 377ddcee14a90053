"""An attempt begins with the thread's lock, or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from treadle.core.errors import FencedError, UnknownNameError
from treadle.core.usage import Usage
from treadle.memory import connect
from treadle.runtime.journal import EntryType
from treadle.runtime.runs import Run, RunStateError, RunStatus, RunStore
from treadle.runtime.runs.beginning import FreeLock, Headstart, Holder

HOUR = timedelta(hours=1)
KEY = "treadle:main:{t}:lock"


@pytest.fixture
async def store(redis_url):
    async with connect(redis_url) as client:
        yield RunStore(client, "treadle:main:", HOUR)


def lock(token):
    return FreeLock(KEY, token, HOUR)


async def test_it_takes_a_free_lock_and_tells_of_it_in_one_step(store):
    run = Run("r", "t", "a")
    await store.create(run)
    assert (await store.begin(run, is_watched=True, lock=lock(b"me"))).number == 1
    client = store._client
    assert await client.get(KEY) == b"me"
    assert 3_590_000 < await client.pttl(KEY) <= 3_600_000
    [(_, told)] = await client.xrange(store.keys("t", "r").events)
    assert told == {b"event": b"metadata", b"data": b'{"run_id":"r","attempt":1,"thread_id":"t"}'}


async def test_nothing_begins_while_somebody_else_has_the_lock(store):
    run = Run("r", "t", "a")
    await store.create(run)
    await store._client.set(KEY, "other", ex=60)
    assert (await store.begin(run, is_watched=True, lock=lock(b"me"))).number == 0
    assert (await store.get("r")).status is RunStatus.PENDING
    assert await store._client.get(KEY) == b"other"
    assert not await store._client.exists(store.keys("t", "r").events)


async def test_a_lock_taken_by_a_reply_that_was_lost_is_ones_own(store):
    run = Run("r", "t", "a")
    await store.create(run)
    await store._client.set(KEY, "me", ex=60)
    assert (await store.begin(run, lock=lock(b"me"))).number == 1


@pytest.mark.parametrize("at", ["gone", "ended", "begun"])
async def test_what_cannot_begin_leaves_the_lock_free(store, at):
    run = Run("r", "t", "a")
    if at != "gone":
        await store.create(run)
    if at == "ended":
        await store.begin(run)
        ended = (EntryType.RUN_FINISHED, {})
        await store.finish(run, 1, RunStatus.SUCCESS, ended, usage=Usage())
        run = replace(run, attempt=1)
    if at == "begun":
        await store.begin(run)
        run = replace(run, attempt=3)
    with pytest.raises(UnknownNameError if at == "gone" else RunStateError):
        await store.begin(run, lock=lock(b"me"))
    assert not await store._client.exists(KEY)


@pytest.mark.parametrize("worker", ["w", "other", None])
async def test_it_begins_in_the_queue_only_for_the_worker_that_has_the_run(store, worker):
    run = Run("r", "t", "a")
    await store.create(run)
    if worker:
        await store._client.hset("treadle:main:job", "worker", worker)
        await store._client.expire("treadle:main:job", 60)
    call = store.beginning(
        run, is_watched=True, lock=lock(b"me"), holder=Holder("treadle:main:job", "w")
    )
    headstart = Headstart.of(run, lock(b"me"), await store._driver.ask(call))
    if worker == "w":
        assert headstart.begun.number == 1
        assert headstart.begun.told.data == b'{"run_id":"r","attempt":1,"thread_id":"t"}'
        # Sent again because its reply was lost, it has begun once.
        again = Headstart.of(run, lock(b"me"), await store._driver.ask(call))
        assert (again.begun.number, again.begun.told) == (1, None)
    else:
        assert headstart is None
        assert not await store._client.exists(KEY)
        assert (await store.get("r")).status is RunStatus.PENDING


@pytest.mark.parametrize("holder", [b"me", b"other", None])
async def test_an_end_gives_the_lock_back_of_whom_it_is(store, holder):
    run = Run("r", "t", "a")
    await store.create(run)
    await store.begin(run)
    if holder:
        await store._client.set(KEY, holder, ex=60)
    ended = (EntryType.RUN_FINISHED, {})
    await store.finish(run, 1, RunStatus.SUCCESS, ended, usage=Usage(), lock=lock(b"me"))
    assert await store._client.get(KEY) == (None if holder == b"me" else holder)


async def test_an_end_that_is_refused_gives_nothing_back(store):
    run = Run("r", "t", "a")
    await store.create(run)
    await store.begin(run)
    await store.begin(replace(run, attempt=1))
    await store._client.set(KEY, "me", ex=60)
    ended = (EntryType.RUN_FINISHED, {})
    with pytest.raises(FencedError):
        await store.finish(run, 1, RunStatus.SUCCESS, ended, usage=Usage(), lock=lock(b"me"))
    assert await store._client.get(KEY) == b"me"
