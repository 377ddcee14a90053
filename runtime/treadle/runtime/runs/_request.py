"""What is asked of the queue, and what it says of it."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args

from treadle.agents import Budget
from treadle.core.errors import InputError
from treadle.runtime.budget import Account
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._record import Run, RunStateError

Multitask = Literal["enqueue", "reject", "interrupt", "rollback"]
"""What becomes of a run whose thread has one already; `RunRequest` explains each."""
DEFAULT_QUEUE = "default"
"""The queue of runs that name none."""
_QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_KEY_CHARS = 512


class ThreadBusyError(RunStateError):
    """The thread has a run already, and the request was not to wait for it."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to be queued.

    Attributes:
        agent: the agent's name.
        input: the question, or what the agent's graph is given; ``None`` goes on from the thread's
            checkpoint.
        thread_id: the thread; a new one when not given.
        user: whose long-term memory the agent uses.
        key: names the request: the same key gives the same run, however often it is submitted.
        queue: the named queue whose workers execute it.
        after: how long it waits before it takes its place in its thread's line.
        multitask: what becomes of it where the thread has a run already: ``enqueue`` waits,
            ``reject`` refuses it, ``interrupt`` stops the others where they stand, ``rollback``
            stops them and undoes what they did to the thread.
        keep_thread: whether its thread stays when it is at an end; otherwise the thread is
            forgotten soon after, with all that came of it.
        metadata: what the caller wants to find with the run again.
        budget: what it may use, instead of the agent's own budget.
        accounts: what it is paid from as well; their limits hold beside every other.
        options: how its graph is executed.
        changes: fields of the agent's definition that are different for this run, as plain data.
        is_dry: whether it is a dry run: what reads is done, effects are described, and the thread,
            whose state it begins in, stays as it is. `Runs.plan` gives what it found.
    """

    agent: str
    input: str | Mapping[str, Any] | None = None
    thread_id: str | None = None
    user: str | None = None
    key: str | None = None
    queue: str = DEFAULT_QUEUE
    after: timedelta = timedelta(0)
    multitask: Multitask = "enqueue"
    keep_thread: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    accounts: Sequence[Account] = ()
    options: RunOptions = field(default_factory=RunOptions)
    changes: Mapping[str, Any] = field(default_factory=dict)
    is_dry: bool = False

    def checked(self, longest: timedelta) -> "RunRequest":
        """Return it as it is.

        Args:
            longest: how long a run is kept, and so the longest it can wait.

        Raises:
            InputError: a queue's name, a delay, a key or a strategy that cannot be used, or a dry
                run of something that is no question.
        """
        checked_queue(self.queue)
        if self.multitask not in get_args(Multitask):
            raise InputError(
                f"The strategy {self.multitask!r} is not known.",
                hint=f"Use one of {', '.join(get_args(Multitask))}.",
            )
        if not timedelta(0) <= self.after < longest:
            raise InputError(
                f"A run cannot wait for {self.after}; at most {longest} are possible.",
                hint="A run is kept for 'runs.keep_days'; use a schedule for what is later.",
            )
        if self.key is not None and not 1 <= len(self.key) <= _MAX_KEY_CHARS:
            raise InputError(f"The key of a run has 1 to {_MAX_KEY_CHARS} characters.")
        goes_on = self.options.checkpoint_id or self.options.goto or self.options.update is not None
        if self.is_dry and (self.input is None or goes_on):
            raise InputError(
                "A dry run is asked something, where its thread stands.",
                hint="Give an input, and no checkpoint, update or node to go on with.",
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return what a worker must know of it beside the run and its input, as plain data."""
        found: dict[str, Any] = {"queue": self.queue, "options": self.options.to_dict()}
        if not self.keep_thread:
            found["keep_thread"] = False
        if self.is_dry:
            found["dry_run_of"] = self.thread_id
        if self.after:
            found["after_seconds"] = self.after.total_seconds()
        if self.budget is not None:
            found["budget"] = self.budget.model_dump(mode="json", exclude_none=True)
        if self.changes:
            found["changes"] = dict(self.changes)
        if self.accounts:
            found["accounts"] = [account.to_dict() for account in self.accounts]
        return found

    def run_id(self, prefix: str) -> str:
        """Return the id of its run: the same for the same key of a tenant."""
        if self.key is None:
            return uuid.uuid4().hex
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix}{self.key}").hex


def checked_queue(name: str) -> str:
    """Return a queue's name as it is.

    Raises:
        InputError: it cannot be used.
    """
    if not _QUEUE_NAME.fullmatch(name):
        raise InputError(
            f"The queue {name[:64]!r} has no name that can be used.",
            hint="Use up to 64 lower-case letters, digits, - and _.",
        )
    return name


@dataclass(frozen=True, slots=True)
class Queued:
    """A run that was accepted.

    Attributes:
        run: the run.
        is_new: whether this request made it; not where its key was known.
    """

    run: Run
    is_new: bool

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def thread_id(self) -> str:
        """Its thread."""
        return self.run.thread_id
