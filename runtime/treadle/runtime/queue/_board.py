"""The queue in Redis: one short script for each thing that can happen to a run in it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from treadle.memory.scripts import Driver, Pipeline, ScriptCall, load_script
from treadle.runtime.queue._records import Claimed, Job, Offer, Place, QueueStats, Submitted
from treadle.runtime.runs import ENDS, Multitask, Run
from treadle.runtime.runs.beginning import Holder
from treadle.runtime.runs.ending import Completion

Cancel = Literal["interrupt", "rollback"]
VERSION = 1
"""The version of what is queued; a worker leaves newer ones alone."""
LOST_AFTER = timedelta(seconds=10)
"""How old an announcement is that its submitter will not follow any more."""
WORKER_GONE_AFTER = timedelta(seconds=30)


class Board:
    """The scripts of the queue of one tenant.

    Args:
        driver: the way to Redis.
        prefix: the tenant's key prefix.
    """

    def __init__(self, driver: Driver, prefix: str) -> None:
        self._driver = driver
        self.base = f"{prefix}{{queue}}"

    def holder(self, run_id: str, worker: str) -> Holder | None:
        """Return what says that a worker has a run; ``None`` where others cannot look at it."""
        return None if self._driver.is_cluster else Holder(f"{self.base}:job:{run_id}", worker)

    def ready_channel(self, queue: str) -> str:
        """Return where it rings when a run of the queue can be claimed."""
        return f"{self.base}:ready:{queue}"

    def worker_channel(self, worker: str) -> str:
        """Return where it rings when a run of the worker is to be stopped."""
        return f"{self.base}:worker:{worker}"

    async def announce(self, run_id: str) -> None:
        """Say that the run is about to be submitted."""
        await self._call("announce", run_id)

    async def withdraw(self, run_id: str) -> None:
        """Take back an announcement."""
        await self._call("withdraw", run_id)

    async def submit(  # noqa: PLR0917 - the words of a request
        self,
        run_id: str,
        thread_id: str,
        queue: str,
        delay: timedelta,
        multitask: Multitask,
        stay: timedelta | None,
        first: Sequence[ScriptCall] = (),
        is_again: bool = False,
        offer: Offer | None = None,
        then: Sequence[ScriptCall] = (),
    ) -> Submitted:
        """Put a run into the queue.

        Args:
            run_id: the run.
            thread_id: its thread.
            queue: the named queue.
            delay: how long it waits before it takes its place in its thread's line.
            multitask: what becomes of it where the thread is busy.
            stay: how long the thread stays after the run is at its end; ``None`` for ever.
            first: what must be in Redis before; the run is announced before that, and all goes in
                one round trip.
            is_again: whether it is to go on after an end, which its worker may not have told yet.
            offer: who takes it at once, where nothing waits before it. Only for a run whose id is
                new: for another, whoever sends it twice could not be told from the worker.
            then: what follows in the same round trip, whatever becomes of the run; with ``first``.
        """
        words = (run_id, thread_id, queue, _ms(delay), multitask, VERSION)
        taking = ("", 0, 0) if offer is None else (offer.worker, _ms(offer.lease), offer.limit)
        more = ("" if stay is None else _ms(stay), int(is_again), *taking)
        submit = self._made("submit", *words, *more)
        if first:
            calls = (self._made("announce", run_id), *first, submit, *then)
            replies = await self._driver.ask(Pipeline(calls, in_order=True))
            said, following = replies[len(first) + 1], replies[len(first) + 2 :]
        else:
            said, following = await self._driver.ask(submit), []
        return Submitted(said[0].decode(), [one.decode() for one in said[1:]], following)

    async def claim(
        self,
        worker: str,
        lease: timedelta,
        wanted: int,
        limits: Mapping[str, int],
        ended: Sequence[Job] = (),
    ) -> Claimed:
        """Take runs that ended out of the queue, and claim up to ``wanted`` of those in ``limits``.

        Args:
            worker: who claims.
            lease: how long the claim holds unless it is renewed.
            wanted: how many at most; 0 only says that the worker is there.
            limits: the queues, with the most of their runs at once over all workers; 0 for any.
            ended: runs of this worker that came to their ends.
        """
        flat = [part for pair in limits.items() for part in pair]
        calls = [self._made("complete", job.run_id, job.claim) for job in ended]
        calls += [self._made("claim", worker, _ms(lease), wanted, VERSION, _ms(LOST_AFTER), *flat)]
        reply = (await self._driver.ask(Pipeline(tuple(calls), in_order=True)))[-1]
        wait, count, lost, rest = int(reply[0]), int(reply[1]), int(reply[2]), reply[3:]
        jobs = [_job(rest[7 * i : 7 * i + 7]) for i in range(count)]
        told, leaving = rest[7 * count : 7 * count + 2 * lost], rest[7 * count + 2 * lost :]
        ages = [timedelta(milliseconds=int(ms)) for ms in told[1::2]]
        announced = list(zip((one.decode() for one in told[::2]), ages, strict=True))
        again_in = None if wait < 0 else timedelta(milliseconds=wait)
        return Claimed(jobs, announced, [one.decode() for one in leaving], again_in)

    async def renew(self, jobs: Sequence[Job], lease: timedelta) -> list[str]:
        """Renew claims; return for each how it is to be stopped, ``lost``, or nothing."""
        flat = [part for job in jobs for part in (job.run_id, job.queue, job.claim)]
        return [one.decode() for one in await self._call("renew", _ms(lease), *flat)]

    async def complete(self, run_id: str, claim: int | None = None) -> bool:
        """Take a run out of the queue; without a claim only where it is not at work."""
        return bool(await self._call("complete", run_id, "" if claim is None else claim))

    def completing(self, job: Job, record: str) -> Completion | None:
        """Return what takes a run out of the queue as it comes to its end.

        ``None`` where that cannot be seen from here.

        Args:
            job: the run, at work.
            record: where its status is kept.
        """
        if self._driver.is_cluster:
            return None
        words = (job.run_id, job.claim, *ENDS)
        return Completion(ScriptCall(_SCRIPTS["complete"], (self.base, record), words))

    async def release(
        self, job: Job, delay: timedelta, reason: str, *, counts: bool = True
    ) -> bool:
        """Give a run back, due again after ``delay``; ``counts`` is whether the claim counts."""
        return bool(
            await self._call(
                "release", job.run_id, job.claim, _ms(delay), reason, 0 if counts else 1
            )
        )

    async def bury(self, job: Job, reason: str, keep: timedelta) -> bool:
        """Give a run up, and keep it among the dead."""
        return bool(await self._call("bury", job.run_id, job.claim, reason, _ms(keep)))

    async def cancel(self, run_id: str, how: Cancel) -> str:
        """Ask for a run to be stopped; return its state, or nothing where it is not queued."""
        return str((await self._call("cancel", run_id, how)).decode())

    async def left(self, thread_id: str) -> None:
        """Say that a thread was forgotten."""
        await self._call("left", thread_id)

    async def place(self, run_id: str) -> Place | None:
        """Return where a run stands; ``None`` where it is not in the queue."""
        reply = await self._call("place", run_id, _ms(WORKER_GONE_AFTER))
        if not reply:
            return None
        state, queue, workers, due_ms, before, reason = reply
        due_in = timedelta(milliseconds=int(due_ms))
        return Place(
            state.decode(), queue.decode(), int(workers), due_in, int(before), reason.decode()
        )

    async def stats(self, queues: Sequence[str]) -> QueueStats:
        """Count what is in the queues, and in every other that a run was ever put into."""
        delayed, dead, *each = await self._call("stats", _ms(WORKER_GONE_AFTER), *queues)
        names = [name.decode() for name in each[::4]]
        ready, running, workers = (
            dict(zip(names, map(int, each[1 + i :: 4]), strict=True)) for i in range(3)
        )
        return QueueStats(ready, running, workers, delayed=int(delayed), dead=int(dead))

    async def dead(self, limit: int) -> list[tuple[str, str]]:
        """Return the runs that were given up, the latest first, each with the reason."""
        flat = [one.decode() for one in await self._call("dead", limit)]
        return list(zip(flat[::2], flat[1::2], strict=True))

    async def _call(self, name: str, *arguments: Any) -> Any:
        return await self._driver.ask(self._made(name, *arguments))

    def _made(self, name: str, *arguments: Any) -> ScriptCall:
        return ScriptCall(_SCRIPTS[name], (self.base,), arguments)


_SCRIPTS = {
    name: load_script(str(__package__), name)
    for name in (
        *("announce", "withdraw", "submit", "claim", "renew"),
        *("complete", "release", "bury", "cancel", "left", "place", "stats", "dead"),
    )
}


def first_claim(run: Run, queue: str) -> Job:
    """Return what a worker holds of a run that it took as it was submitted."""
    return Job(run.id, run.thread_id, queue, 1, "", "", VERSION)


def _job(parts: Sequence[bytes]) -> Job:
    run_id, thread_id, queue, claim, cancel, reason, version = (part.decode() for part in parts)
    return Job(run_id, thread_id, queue, int(claim), cancel, reason, int(version))


def _ms(duration: timedelta) -> int:
    return max(0, round(duration / timedelta(milliseconds=1)))
