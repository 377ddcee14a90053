"""What is known of the queue and of the runs in it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol

from treadle.runtime.events import Feed
from treadle.runtime.runs import Accepted
from treadle.runtime.runs.beginning import Headstart


@dataclass(frozen=True, slots=True)
class Job:
    """A run that a worker has claimed.

    Attributes:
        run_id: the run.
        thread_id: its thread.
        queue: the named queue it came from.
        claim: which claim it is, from 1; what is done under an earlier one is refused.
        cancel: how it is to be stopped; empty where it is to be worked on.
        reason: why an earlier claim did not bring it to its end; empty at the first.
        version: the version it was queued by.
    """

    run_id: str
    thread_id: str
    queue: str
    claim: int
    cancel: str
    reason: str
    version: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A free place of a worker, for a run that is about to be submitted.

    Attributes:
        worker: who offers it.
        lease: how long the run is the worker's unless that is renewed.
        limit: the most runs of the queue at once over all workers; 0 for any.
        is_at_once: whether a run may begin as it is taken; otherwise others go first.
        take: works on the run, from where it has begun already, and closes its feed in the end.
    """

    worker: str
    lease: timedelta
    limit: int
    is_at_once: bool
    take: Callable[[Job, Accepted, Feed, Headstart | None], None]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a run that was put into the queue.

    Attributes:
        said: ``ok``, ``taken`` (a worker has it under its first claim), ``known`` or ``busy``.
        runs: with ``ok`` the earlier runs that must be stopped, with ``busy`` the one that has
            the thread.
        following: the replies to what followed in the same round trip.
    """

    said: str
    runs: Sequence[str]
    following: Sequence[Any]


class OffersPlaces(Protocol):
    """A worker as the queue of its process sees it."""

    def offering(self, queue: str) -> AbstractContextManager[Offer | None]:
        """Offer a free place for a run of a queue; ``None`` where there is none to offer."""
        ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a worker got.

    Attributes:
        jobs: the runs to work on.
        lost: runs that were announced and never submitted, and how long ago that was.
        leaving: threads of one run alone that are to be forgotten.
        again_in: when there is something to do again, because a run is due or a lease lapses unless
            it is renewed; ``None`` where there is nothing.
    """

    jobs: Sequence[Job]
    lost: Sequence[tuple[str, timedelta]]
    leaving: Sequence[str]
    again_in: timedelta | None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How full the queue is.

    Attributes:
        ready: runs that wait for a worker, by named queue.
        running: runs at work, by named queue.
        workers: workers that were heard of lately, by named queue.
        delayed: runs that are due later.
        dead: runs that were given up.
    """

    ready: Mapping[str, int]
    running: Mapping[str, int]
    workers: Mapping[str, int]
    delayed: int
    dead: int

    def is_unserved(self, queue: str) -> bool:
        """Return whether runs wait in the queue and nobody serves it."""
        return self.ready.get(queue, 0) > 0 and self.workers.get(queue, 0) == 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in the queue.

    Attributes:
        state: ``delayed`` (until it joins its thread's line), ``waiting`` (behind others of its
            thread), ``ready`` (for a worker), ``running``, ``paused`` (before it is tried again) or
            ``dead`` (it was given up).
        queue: the named queue.
        workers: how many workers of that queue were heard of lately.
        due_in: how long it is delayed or paused from now on.
        before: how many runs of its thread come first.
        reason: why an earlier attempt did not bring it to its end; empty without one.
    """

    state: str
    queue: str
    workers: int
    due_in: timedelta
    before: int
    reason: str

    @property
    def is_unserved(self) -> bool:
        """Whether nobody would work on it as things are."""
        return self.workers == 0 and self.state not in {"running", "dead"}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "state": self.state,
            "queue": self.queue,
            "workers": self.workers,
            "due_in_seconds": self.due_in.total_seconds(),
            "before": self.before,
            "reason": self.reason,
        }
