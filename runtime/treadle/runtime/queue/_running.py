"""A run that a worker has at work."""

import asyncio
from dataclasses import dataclass, field

from langgraph.runtime import RunControl

from treadle.core.tasks import AGAIN_SECONDS
from treadle.runtime.events import Feed
from treadle.runtime.queue._records import Job
from treadle.runtime.runs import RunStatus
from treadle.runtime.runs.beginning import Headstart


@dataclass(eq=False)
class Running:
    """A run at work here.

    Attributes:
        job: what was claimed.
        control: how its graph is asked to stop.
        ending: why it is to stop: ``interrupt``, ``rollback``, ``drain`` or ``lost``.
        status: what became of it when it was stopped or failed.
        is_exhausted: whether it failed once more for a reason that passes, and has no attempt left.
        task: what works on it.
        is_stopped: whether it noticed that it is to stop.
        is_undone: whether what it did to its thread was undone.
        feed: what hands its events on to readers in this process, where any may be.
        headstart: its attempt, where that began as it was submitted.
    """

    job: Job
    control: RunControl = field(default_factory=RunControl)
    ending: str = ""
    status: RunStatus | None = None
    is_exhausted: bool = False
    task: asyncio.Task[None] | None = None
    is_stopped: bool = False
    is_undone: bool = False
    feed: Feed | None = None
    headstart: Headstart | None = None

    def stop(self, why: str) -> None:
        """Stop it where it stands."""
        if not self.ending or self.ending == "drain":
            self.ending = why
            self._cancel()

    def _cancel(self) -> None:
        """Cancel its task until it notices: a cancellation can be lost (`stopped` says how)."""
        if self.task is not None and not self.task.done() and not self.is_stopped:
            self.task.cancel()
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._cancel)
