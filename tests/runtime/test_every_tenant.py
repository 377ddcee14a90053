"""Attending to every tenant at the cost of one."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.support.waiting import eventually
from treadle.memory import connect
from treadle.runtime._agenda import Agenda
from treadle.runtime._every_tenant import EveryTenant


class Attendant:
    """Notes that it was at work, and does what it is told to."""

    is_busy = False

    def __init__(self, agenda, tenant, log, does):
        self._agenda, self._tenant, self._log, self._does = agenda, tenant, log, does

    async def step(self):
        self._log.append(self._tenant)
        await self._agenda._client.zrem(self._agenda.tenants, f"treadle:{self._tenant}:")
        await self._does(self._tenant)

    async def aclose(self):
        self._log.append(f"{self._tenant} closed")


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as client:
        yield client


@asynccontextmanager
async def attending(client, does, serves=lambda _: True):
    """Attend to tenants; give the agenda, and what was done."""
    agenda, log = Agenda(client, "schedules"), []
    every = EveryTenant(
        agenda, lambda tenant: Attendant(agenda, tenant, log, does), serves, what="Tests"
    )
    running = asyncio.create_task(every.run())
    try:
        yield Agenda(client, "schedules"), log
    finally:
        every.stop()
        await running


async def nothing(tenant):
    """Do nothing."""


async def ring(agenda, *tenants):
    for tenant in tenants:
        await agenda.look_at(f"treadle:{tenant}:")
    await agenda._client.xadd(agenda.bell, {"a": "b"})


async def test_whoever_is_due_is_attended_to_and_nobody_else(client):
    async with attending(client, nothing, lambda tenant: tenant != "foreign") as (agenda, log):
        await ring(agenda, "one", "foreign", "two")
        await eventually(lambda: {"one", "two"} <= set(log), within_seconds=20)
        await ring(agenda, "one")
        await eventually(lambda: log.count("one") == 2, within_seconds=20)
    assert log.count("two") == 1
    assert "foreign" not in log


async def test_one_that_takes_long_or_fails_keeps_nobody_waiting(client):
    released = asyncio.Event()

    async def does(tenant):
        if tenant == "slow":
            await released.wait()
        if tenant == "broken":
            raise ValueError("It is broken.")

    async with attending(client, does) as (agenda, log):
        await ring(agenda, "slow", "broken", *(f"t{n}" for n in range(60)))
        await eventually(lambda: {f"t{n}" for n in range(60)} <= set(log), within_seconds=20)
        assert log.count("slow") == 1
        released.set()


async def test_more_tenants_than_a_page_are_found(client):
    agenda = Agenda(client, "schedules")
    wanted = [f"t{n:04}" for n in range(1_200)]
    await client.zadd(agenda.tenants, {f"treadle:{tenant}:": 0 for tenant in wanted})
    due, wait = await agenda.due()
    assert sorted(due) == wanted
    assert wait is None
