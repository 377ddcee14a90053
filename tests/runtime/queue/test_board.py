"""The queue's scripts under any order of what can happen: no run is lost, doubled or overtaken."""

from collections import defaultdict
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.memory import connect
from treadle.memory.scripts import driver_of
from treadle.runtime.queue._board import VERSION, Board
from treadle.runtime.queue._records import Job, Offer

BASE = "treadle:main:{queue}"
LEASE, LATER, NOW = timedelta(hours=1), timedelta(hours=2), timedelta(0)
THREADS = ["a", "b"]
LIMITS = {"default": 3}
OFFER = Offer("w", LEASE, LIMITS["default"], is_at_once=False, take=lambda *_: None)
NEXT = {
    None: {"delayed", "waiting", "ready", "running"},  # it was submitted
    "delayed": {"waiting", "ready", None},
    "waiting": {"ready", None},
    "ready": {"running", None},
    # It was handed over or its lease lapsed, it is tried again later, was given up, or ended.
    "running": {"ready", "paused", "dead", None},
    "paused": {"ready", None},
    "dead": {"waiting", "ready"},  # it was queued again
}
"""The states that may follow each."""
STOPS = st.sampled_from(["interrupt", "rollback"])

OPERATIONS = st.one_of(
    st.tuples(
        st.just("submit"),
        st.sampled_from(THREADS),
        st.sampled_from(["enqueue", "enqueue", "reject", "interrupt", "rollback"]),
        st.sampled_from([False, False, True]),
        st.booleans(),
    ),
    st.tuples(st.just("claim"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["complete", "renew", "bury"]), st.integers(0, 9)),
    st.tuples(st.just("release"), st.integers(0, 9), st.booleans(), st.booleans()),
    st.tuples(st.just("leave"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 9), STOPS),
    st.tuples(st.sampled_from(["drop", "again"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["lapse", "fall due"])),
)


class House:
    """The queue, with all that was done to it.

    Attributes:
        jobs: the latest claim of each run that was claimed, in that order.
        stale: claims that were replaced since, and may change nothing.
        line: the runs of each thread in the order in which they came.
        gone: runs that came to their end, in that order.
        stops: how each run that is to be stopped is to be stopped, as was said last.
    """

    def __init__(self, client):
        self.client = client
        self.board = Board(driver_of(client, "test"), "treadle:main:")
        self.submitted = []
        self.jobs, self.stale, self.gone, self.dead = {}, [], [], set()
        self.states, self.stops = {}, {}

    async def submit(self, thread, multitask, is_delayed, is_offered):
        run = f"{thread}{len(self.submitted)}"
        delay = LATER if is_delayed else NOW
        before = await self.line(thread)
        offer = OFFER if is_offered else None
        is_next = not is_delayed and not await self.line(thread) and await self.has_room()
        words = (run, thread, "default", delay, multitask, None)
        put = await self.board.submit(*words, offer=offer)
        said, others = put.said, put.runs
        line = await self.line(thread)
        assert (said == "taken") == (is_offered and is_next)
        if said == "taken":
            assert (line, others) == ([run], [])
            assert (await self.board.submit(*words, offer=offer)).said == "taken"  # sent again
            self.jobs[run] = Job(run, thread, "default", 1, "", "", VERSION)
            said = "ok"
        if said == "busy":
            assert multitask == "reject"
            assert others == line[:1]
            return
        assert (said, multitask == "reject" and len(line) > 1) == ("ok", False)
        again = await self.board.submit(run, thread, "default", NOW, "enqueue", None)
        assert again.said == "known"
        self.submitted.append(run)
        if multitask in {"interrupt", "rollback"}:
            self.stops |= dict.fromkeys(before, multitask)
            at_work = {one for one in before if self.states[one] == "running"}
            assert others == [one for one in before if one not in at_work]

    async def has_room(self):
        """Tell whether nothing waits for a worker, and one more run may be at work."""
        ready = await self.client.llen(f"{BASE}:ready:default")
        return not ready and await self.client.zcard(f"{BASE}:leases:default") < LIMITS["default"]

    async def claim(self, wanted):
        claimed = await self.board.claim("w", LEASE, wanted, LIMITS)
        assert len(claimed.jobs) <= wanted
        for job in claimed.jobs:
            if job.run_id in self.jobs:
                self.stale.append(self.jobs[job.run_id])
            self.jobs[job.run_id] = job
            assert job.cancel == self.stops.get(job.run_id, "")
            assert (await self.line(job.thread_id))[0] == job.run_id

    async def on(self, number, what, *arguments):
        """Do something under the latest claim of a run, and see that no earlier one can."""
        for job in self.stale:
            assert await self.board.renew([job], LEASE) == ["lost"]
            assert not await self.board.complete(job.run_id, job.claim)
            assert not await self.board.release(job, NOW, "", counts=True)
            assert not await self.board.bury(job, "", LATER)
        if not self.jobs:
            return
        job = list(self.jobs.values())[number % len(self.jobs)]
        is_held = await self.state(job.run_id) == "running"
        if what == "renew":
            [reply] = await self.board.renew([job], LEASE)
            assert reply == (self.stops.get(job.run_id, "") if is_held else "lost")
        elif what == "release":
            delay = LATER if arguments[0] else NOW
            counts = arguments[1]
            assert await self.board.release(job, delay, "", counts=counts) == is_held
            if is_held and not counts:  # Its number is given to the next claim as well.
                del self.jobs[job.run_id]
        elif what == "complete":
            assert await self.board.complete(job.run_id, job.claim) == is_held
            self.gone += [job.run_id] * is_held
        elif what == "leave":
            is_ended = arguments[0]
            record = f"{BASE}:record"
            await self.client.hset(record, "status", "success" if is_ended else "running")
            await self.client.expire(record, 60)
            completion = self.board.completing(job, record)
            said = await self.board._driver.ask(completion.call)
            is_gone = is_held and is_ended
            assert said == (1 + bool(await self.line(job.thread_id)) if is_gone else 0)
            self.gone += [job.run_id] * is_gone
        elif what == "bury":
            assert await self.board.bury(job, "It failed.", LATER) == is_held
            self.dead |= {job.run_id} if is_held else set()

    async def from_outside(self, number, what, *arguments):
        if not self.submitted:
            return
        run = self.submitted[number % len(self.submitted)]
        state = await self.state(run)
        if what == "cancel":
            is_queued = state not in {None, "dead"}
            assert await self.board.cancel(run, *arguments) == (state if is_queued else "")
            if is_queued:
                self.stops[run] = arguments[0]
        elif what == "drop" and state != "dead":
            is_dropped = await self.board.complete(run)
            assert is_dropped == (state not in {None, "running"})
            self.gone += [run] * is_dropped
        elif what == "again" and state == "dead":
            put = await self.board.submit(run, run[0], "default", NOW, "enqueue", None)
            assert put.said == "ok"
            self.dead.discard(run)
            self.stops.pop(run, None)
            self.jobs.pop(run, None)
            self.stale = [job for job in self.stale if job.run_id != run]
            self.submitted.remove(run)
            self.submitted.append(run)

    async def pass_time(self, zset):
        for run in await self.client.zrange(f"{BASE}:{zset}", 0, -1):
            await self.client.zadd(f"{BASE}:{zset}", {run: 0})

    async def state(self, run):
        found = await self.client.hget(f"{BASE}:job:{run}", "state")
        return found.decode() if found else None

    async def line(self, thread):
        return [one.decode() for one in await self.client.lrange(f"{BASE}:line:{thread}", 0, -1)]

    async def check(self):
        """Check that each run is in one place, the one that its state says."""
        ready = [one.decode() for one in await self.client.lrange(f"{BASE}:ready:default", 0, -1)]
        leased = [o.decode() for o in await self.client.zrange(f"{BASE}:leases:default", 0, -1)]
        later = [one.decode() for one in await self.client.zrange(f"{BASE}:delayed", 0, -1)]
        lines = {thread: await self.line(thread) for thread in THREADS}
        states = {run: await self.state(run) for run in self.submitted}
        for run, state in states.items():
            before = self.states.get(run)
            # What falls due, or was lost, can be claimed in the step in which that is noticed.
            at_once = NEXT[before] | {two for one in NEXT[before] & {"ready"} for two in NEXT[one]}
            assert state == before or state in at_once, f"{run}: {before}, then {state}"
        self.states = states
        assert {run for run, state in states.items() if state is None} == set(self.gone)
        assert {run for run, state in states.items() if state == "dead"} == self.dead
        found = defaultdict(set)
        for run, state in states.items():
            found[state].add(run)
        live = [run for run in ready if states[run] == "ready"]
        assert sorted(live) == sorted(found["ready"])
        assert set(leased) == found["running"]
        assert set(later) == found["delayed"] | found["paused"]
        for thread, line in lines.items():
            assert len(set(line)) == len(line)
            heads = found["ready"] | found["running"] | found["paused"]
            assert [run for run in line if run in heads] == line[:1]
            assert set(line[1:]) == {run for run in found["waiting"] if run[0] == thread}
        assert len(leased) <= LIMITS["default"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=st.lists(OPERATIONS, min_size=20, max_size=60))
async def test_each_run_is_where_its_state_says_and_all_come_to_their_end(redis_url, operations):
    async with connect(redis_url) as client:
        await client.flushall()
        house = House(client)
        for what, *arguments in operations:
            if what == "submit":
                await house.submit(*arguments)
            elif what == "claim":
                await house.claim(*arguments)
            elif what in {"complete", "renew", "bury", "release", "leave"}:
                await house.on(arguments[0], what, *arguments[1:])
            elif what in {"cancel", "drop", "again"}:
                await house.from_outside(arguments[0], what, *arguments[1:])
            else:
                await house.pass_time("leases:default" if what == "lapse" else "delayed")
            await house.check()

        await house.pass_time("leases:default")
        await house.pass_time("delayed")
        waiting = {thread: await house.line(thread) for thread in THREADS}
        ended = defaultdict(list)
        while (claimed := await house.board.claim("w", LEASE, 3, LIMITS)).jobs:
            for job in claimed.jobs:
                assert await house.board.complete(job.run_id, job.claim)
                ended[job.thread_id].append(job.run_id)
                house.gone.append(job.run_id)
            await house.check()
        for thread, line in waiting.items():
            assert ended[thread][: len(line)] == line
        assert sorted({*house.gone, *house.dead}) == sorted(house.submitted)


async def test_all_threads_that_leave_are_told_of_in_looks_that_follow_at_once(redis_url):
    async with connect(redis_url) as client:
        board = Board(driver_of(client, "Board"), "treadle:main:")
        threads = {f"t{number}" for number in range(300)}
        await client.zadd(f"{BASE}:leaving", dict.fromkeys(threads, 1))
        looks = [await board.claim("w", LEASE, 0, LIMITS) for _ in range(3)]
        assert [len(look.leaving) for look in looks] == [250, 50, 0]
        assert {thread for look in looks for thread in look.leaving} == threads
        assert [look.again_in == NOW for look in looks] == [True, False, False]
        await client.delete(f"{BASE}:leaving")
