"""The statuses of a run: only legal changes, whatever comes in whatever order."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from treadle.core.errors import FencedError, UnknownNameError
from treadle.core.usage import Usage
from treadle.runtime.journal import EntryType
from treadle.runtime.runs import NEXT, Resumption, Run, RunStateError, RunStatus, RunStore

ENDS = {
    RunStatus.SUCCESS: EntryType.RUN_FINISHED,
    RunStatus.ERROR: EntryType.RUN_FAILED,
    RunStatus.CANCELLED: EntryType.RUN_FAILED,
    RunStatus.TIMEOUT: EntryType.RUN_FAILED,
    RunStatus.INTERRUPTED: EntryType.RUN_INTERRUPTED,
}


class Workers(RuleBasedStateMachine):
    """Several workers on two runs of one thread; each remembers the attempt it once began."""

    url = ""
    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.client = redis.asyncio.from_url(self.url)
        self.wait(self.client.flushall())
        self.store = RunStore(self.client, "treadle:main:", timedelta(days=1))
        self.runs = {name: Run(name, "thread", "agent") for name in ("one", "two")}
        self.statuses: dict[str, RunStatus] = {}
        self.current: dict[str, int] = dict.fromkeys(self.runs, 0)
        self.holder = ""

    def wait(self, coroutine):
        return self.loop.run(self._await(coroutine))

    async def _await(self, awaitable):
        return await awaitable

    def teardown(self) -> None:
        self.wait(self.client.aclose())
        self.loop.close()

    @initialize()
    def accept_the_first(self):
        self.accept("one")

    @rule(name=st.sampled_from(["one", "two"]))
    def accept(self, name):
        is_new = self.wait(self.store.create(self.runs[name], {"messages": []}))
        assert is_new == (name not in self.statuses)
        self.statuses.setdefault(name, RunStatus.PENDING)

    @rule(target=attempts, name=st.sampled_from(["one", "two"]))
    def begin(self, name):
        """Begin an attempt, as one who read the run just now."""
        before = self.statuses.get(name)
        try:
            known = replace(self.runs[name], attempt=self.current[name])
            number = self.wait(self.store.begin(known)).number
        except UnknownNameError:
            assert before is None
            return multiple()
        except RunStateError:
            assert RunStatus.RUNNING not in NEXT[before]
            return multiple()
        assert RunStatus.RUNNING in NEXT[before]
        assert number == self.current[name] + 1
        self.current[name] = number
        self.statuses[name] = RunStatus.RUNNING
        self.holder = f"{name}/{number}"
        return (name, number)

    @precondition(lambda self: any(self.current.values()))
    @rule(behind=st.integers(1, 3), name=st.sampled_from(["one", "two"]))
    def begin_knowing_too_little(self, behind, name):
        if self.current[name] >= behind:
            stale = replace(self.runs[name], attempt=self.current[name] - behind)
            with pytest.raises(RunStateError):
                self.wait(self.store.begin(stale))

    @rule(attempt=attempts, status=st.sampled_from(sorted(ENDS)))
    def finish(self, attempt, status):
        name, number = attempt
        entry = (ENDS[RunStatus(status)], {})
        finishing = self.store.finish(
            self.runs[name], number, RunStatus(status), entry, usage=Usage(model_calls=number)
        )
        status_now = self.statuses.get(name)
        may = self.holder == f"{name}/{number}" and status_now is RunStatus.RUNNING
        try:
            self.wait(finishing)
        except FencedError:
            assert not may
            return
        assert may
        assert RunStatus(status) in NEXT[RunStatus.RUNNING]
        self.statuses[name] = RunStatus(status)

    @precondition(lambda self: self.statuses)
    @rule(name=st.sampled_from(["one", "two"]), behind=st.integers(0, 2))
    def cancel(self, name, behind):
        known = replace(self.runs[name], attempt=self.current[name] - behind)
        before = self.statuses.get(name)
        may = before not in {None, RunStatus.RUNNING} and RunStatus.CANCELLED in NEXT[before]
        assert self.wait(self.store.cancel(known)) is (may and behind == 0)
        if may and behind == 0:
            self.statuses[name] = RunStatus.CANCELLED

    @precondition(lambda self: self.statuses)
    @rule(name=st.sampled_from(["one", "two"]), behind=st.integers(0, 2))
    def let_go_on(self, name, behind):
        known = replace(self.runs[name], attempt=self.current[name] - behind)
        before = self.statuses.get(name)
        may = before not in {None, RunStatus.RUNNING} and RunStatus.PENDING in NEXT[before]
        assert self.wait(self.store.again(known, Resumption({"id": "yes"}))) is (
            may and behind == 0
        )
        if may and behind == 0:
            self.statuses[name] = RunStatus.PENDING

    @precondition(lambda self: sum(self.current.values()) > 2)
    @rule()
    def forget(self):
        assert len(self.wait(self.store.forget_thread("thread"))) == len(self.statuses)
        assert self.wait(self.client.keys("*")) == []
        self.statuses.clear()
        self.current = dict.fromkeys(self.runs, 0)
        self.holder = ""

    @rule(attempt=attempts)
    def write(self, attempt):
        name, number = attempt
        before = self.wait(self.store.journal(self.runs[name])).entries
        writer = self.store.writer(self.runs[name], number)
        try:
            self.wait(writer.write(EntryType.CALL_ABANDONED, {"call_id": "x"}))
            assert self.holder == f"{name}/{number}"
        except FencedError:
            assert self.holder != f"{name}/{number}"
            assert self.wait(self.store.journal(self.runs[name])).entries == before

    @invariant()
    def what_is_stored_is_what_happened(self):
        for name, status in self.statuses.items():
            run = self.wait(self.store.get(name))
            assert (run.status, run.attempt) == (status, self.current[name])
        listed = {run.id for run in self.wait(self._listed())}
        assert listed == set(self.statuses)

    async def _listed(self):
        return await self.store.of_thread("thread")


def test_only_legal_changes_whatever_the_order(redis_url):
    machine = type("Workers", (Workers,), {"url": redis_url})
    chosen = settings(
        max_examples=80,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_nothing_follows_success_and_everything_else_can_go_on():
    assert not NEXT[RunStatus.SUCCESS]
    for status in set(RunStatus) - {RunStatus.SUCCESS}:
        assert RunStatus.RUNNING in NEXT[status]
