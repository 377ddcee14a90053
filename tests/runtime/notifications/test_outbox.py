"""Messages: sent at least once under one id, tried again, given up, replayed."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from tests.runtime.notifications.conftest import Told, message
from tests.support.waiting import eventually
from treadle.core.usage import Usage
from treadle.runtime.journal import EntryType
from treadle.runtime.notifications import Notifier, Outbox
from treadle.runtime.notifications._notifier import BACKOFF
from treadle.runtime.runs import Run, RunStatus

NOW = timedelta(0)


async def test_a_message_is_sent_once_when_nothing_fails(outbox, store):
    told = Told()
    notifier = Notifier(outbox, {"ops": told}, store)
    await outbox.put(message())
    await notifier.step()
    await outbox.put(message())  # The same end, once more.
    await notifier.step()
    assert told.taken == ["msg_1"]
    assert await outbox.open(10) == []


async def test_what_fails_is_sent_again_under_the_same_id(outbox, store):
    told = Told(fails=2)
    notifier = Notifier(outbox, {"ops": told}, store, backoff=(NOW, NOW, NOW))
    await outbox.put(message())
    await notifier.step()
    assert told.seen == ["msg_1"] * 3
    assert told.taken == ["msg_1"]


async def test_between_two_attempts_it_waits_longer_each_time(outbox, store):
    notifier = Notifier(outbox, {"ops": Told(fails=1)}, store)
    await outbox.put(message())
    wait = await notifier.step()
    assert BACKOFF[0] * 0.9 < wait < BACKOFF[0] * 1.3
    [kept] = await outbox.open(10)
    assert (kept.tries, kept.why, kept.state) == (1, "It answered 503.", "ready")
    assert list(BACKOFF) == sorted(BACKOFF)
    assert sum(BACKOFF, NOW) > timedelta(hours=20)


async def test_what_nobody_takes_is_given_up_and_can_be_replayed(outbox, store):
    told = Told(fails=4)
    notifier = Notifier(outbox, {"ops": told}, store, backoff=(NOW, NOW))
    await outbox.put(message())
    await notifier.step()
    [dead] = await outbox.dead(10)
    assert (dead.id, dead.state, dead.why) == ("msg_1", "dead", "It answered 503.")
    assert told.seen == ["msg_1"] * 3

    await outbox.put(message())  # It stays given up until somebody says otherwise.
    await notifier.step()
    assert len(told.seen) == 3
    assert await outbox.replay("msg_1")
    await notifier.step()
    assert told.taken == ["msg_1"]
    assert await outbox.dead(10) == []
    assert not await outbox.replay("msg_1")


async def test_whoever_is_not_in_the_settings_any_more_is_not_told(outbox, store):
    await outbox.put(message())
    await Notifier(outbox, {}, store).step()
    [dead] = await outbox.dead(10)
    assert "no notification 'ops'" in dead.why


async def test_two_notifiers_send_each_message_once(outbox, store):
    told = Told()
    for number in range(40):
        await outbox.put(message(number))
    await asyncio.gather(*(Notifier(outbox, {"ops": told}, store).step() for _ in range(5)))
    assert sorted(told.taken) == sorted(f"msg_{number}" for number in range(40))


async def test_a_notifier_hears_of_a_new_message(outbox, store):
    told = Told()
    notifier = Notifier(outbox, {"ops": told}, store)
    running = asyncio.create_task(notifier.run())
    await outbox.put(message())
    await eventually(lambda: told.taken, within_seconds=5)
    notifier.stop()
    await running


async def test_a_notifier_stops_also_while_it_connects(client, outbox, store, monkeypatch):
    """The driver can swallow a cancellation that comes while it connects."""
    rests, connecting = [], asyncio.Event()

    async def swallows(self, most):
        rests.append(most)
        with suppress(asyncio.CancelledError):
            connecting.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(Outbox, "wait_for_bell", swallows)
    notifier = Notifier(outbox, {}, store)
    running = asyncio.create_task(notifier.run())
    await connecting.wait()
    notifier.stop()
    await running
    assert len(rests) == 1


@pytest.mark.parametrize("was_kept", [True, False])
async def test_a_process_that_dies_at_the_end_of_a_run(was_kept, outbox, store, client):
    """The message is kept before the end is; whether that was kept decides whether it is sent."""
    run = Run("r", "t", "writer")
    await store.create(run)
    attempt = (await store.begin(run)).number
    await outbox.put(message(attempt=attempt, state="prepared"))
    if was_kept:
        end = (EntryType.RUN_FAILED, {"error": "No."})
        await store.finish(run, attempt, RunStatus.ERROR, end, usage=Usage())
    told = Told()
    notifier = Notifier(outbox, {"ops": told}, store)
    await notifier.step()
    assert told.seen == []  # Its process may only be slow.
    await client.zadd("treadle:main:{notifications}:due", {"msg_1": 0})
    await notifier.step()
    assert told.taken == (["msg_1"] if was_kept else [])
    assert await outbox.open(10) == []


async def test_everything_expires(outbox, store, client):
    notifier = Notifier(outbox, {"ops": Told(fails=1)}, store, backoff=())
    await outbox.put(message(1))
    await outbox.put(message(2))
    await notifier.step()
    keys = [key async for key in client.scan_iter(match="*:message:*")]
    assert len(keys) == 2
    assert all([await client.pttl(key) > 0 for key in keys])
