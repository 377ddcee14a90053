"""Redis's clock decides: that of a machine may be behind or ahead of it by hours."""

import datetime as clocks
import sys
import time
from datetime import UTC, timedelta

import pytest

from tests.runtime.queue.conftest import submit, working
from tests.support.waiting import eventually
from treadle.runtime.queue import RunOptions
from treadle.runtime.runs import RunStatus
from treadle.runtime.schedules import FireStatus, ScheduleSettings
from treadle.runtime.testing import ScriptedOpenAI, say

HOURS = 5


@pytest.fixture(params=[-HOURS, HOURS], ids=["behind", "ahead"])
def shifted(request, monkeypatch):
    """Set the system's clock, as all of Treadle sees it, by some hours."""
    shift, right = timedelta(hours=request.param), time.time

    class Shifted(clocks.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + shift

    monkeypatch.setattr(time, "time", lambda: right() + shift.total_seconds())
    for name, module in list(sys.modules.items()):
        if name.startswith("treadle.") and getattr(module, "datetime", None) is clocks.datetime:
            monkeypatch.setattr(module, "datetime", Shifted)
    return shift


async def test_runs_and_schedules_keep_to_the_clock_of_redis(opened, shifted, monkeypatch):
    with ScriptedOpenAI(lambda _: say("Yes.")) as server:
        async with opened(server) as runtime:
            far = await submit(runtime, "Far.", "far", after=timedelta(hours=1))
            lost = await _lost(runtime, monkeypatch)
            for run_id in (far.run_id, lost):
                due_in = (await runtime.queue.place(run_id)).due_in
                assert timedelta(minutes=50) < due_in <= timedelta(hours=1)
            every = ScheduleSettings(agent="counter", input="Tick.", every="1s")
            await runtime.schedules.add("s", every)
            async with working(runtime), runtime.unattended():
                options = RunOptions(stream=("updates",))
                soon = await submit(runtime, "Soon.", after=timedelta(seconds=0.2), options=options)
                assert (await runtime.queue.wait(soon.run_id)).status is RunStatus.SUCCESS
                assert [event async for event in runtime.queue.events(soon.run_id)][
                    -1
                ].name == "end"
                fires = await eventually(lambda: _fired(runtime), within_seconds=60)
            seconds, _ = await runtime.redis.time()
            now = clocks.datetime.fromtimestamp(int(seconds), UTC)
            assert all(abs(now - fire.planned) < timedelta(minutes=10) for fire in fires)
            assert all(fire.status is not FireStatus.MISSED for fire in fires)
            assert await runtime.runs.get(far.run_id)


async def _lost(runtime, monkeypatch):
    """Let a submitter of a delayed run die before the queue has it, and the run be found."""

    async def dies(*_, **__):
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(runtime.queue.board, "submit", dies)
        with pytest.raises(ConnectionResetError):
            await submit(runtime, "Lost.", "lost", key="k", after=timedelta(hours=1))
    [run] = await runtime.runs.recent(1, thread="lost")
    await runtime.queue.put_back(run.id, timedelta(seconds=10))
    return run.id


async def _fired(runtime):
    fires = await runtime.schedules.history("s")
    return fires if any(fire.status is FireStatus.SUCCESS for fire in fires) else None
