"""What is known of a run beside its journal, and how its status may change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from treadle.core.errors import RunError
from treadle.core.usage import Usage
from treadle.runtime.journal import (
    JournalError,
    from_data,
    to_data,
    usage_from_data,
    usage_to_data,
)
from treadle.runtime.runs._resumption import Resumption


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    """It was accepted and has not begun, or waits to be taken up again."""
    RUNNING = "running"
    """An attempt is at work, or died at work: then the run can be resumed."""
    INTERRUPTED = "interrupted"
    """It waits for a person's answer."""
    SUCCESS = "success"
    """It came to its end. Nothing follows."""
    ERROR = "error"
    """It failed; it can be resumed."""
    CANCELLED = "cancelled"
    """Somebody stopped it; it can be resumed."""
    TIMEOUT = "timeout"
    """It reached its time limit; it can be resumed."""


class RunMode(StrEnum):
    """What a run does with the world."""

    LIVE = "live"
    """It makes its calls."""
    DRY = "dry"
    """It reads, and describes the effects it would have."""
    FORK = "fork"
    """It repeats another run as far as that goes, and goes on live from there."""


NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.ERROR}),
    RunStatus.RUNNING: frozenset(RunStatus),
    RunStatus.INTERRUPTED: frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.ERROR: frozenset({RunStatus.PENDING, RunStatus.RUNNING}),
    RunStatus.CANCELLED: frozenset({RunStatus.PENDING, RunStatus.RUNNING}),
    RunStatus.TIMEOUT: frozenset({RunStatus.PENDING, RunStatus.RUNNING}),
    RunStatus.SUCCESS: frozenset(),
}
"""The statuses that may follow each. ``running`` follows itself when a dead attempt is replaced;
``pending`` follows it where another attempt is to go on."""
ENDS = frozenset(RunStatus) - {RunStatus.PENDING, RunStatus.RUNNING}
"""The statuses in which nothing happens to a run by itself."""


class RunStateError(RunError):
    """What was asked for does not fit the run's status."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as it is listed.

    Attributes:
        id: its id.
        thread_id: the conversation.
        agent: the agent's name.
        status: where it stands.
        attempt: how many attempts were begun.
        question: what was asked, secrets taken out.
        mode: what it does with the world.
        parent: the run it was forked from; empty without one.
        user: whose memory it uses; empty where that was not said.
        created: when it was accepted.
        ended: when its last attempt ended; ``None`` while there is none that did.
        usage: what it cost, over all attempts.
        learning: what learning facts from it cost, when it was over; no part of ``usage``.
        error: why it failed; empty when it did not.
    """

    id: str
    thread_id: str
    agent: str
    status: RunStatus = RunStatus.PENDING
    attempt: int = 0
    question: str = ""
    mode: RunMode = RunMode.LIVE
    parent: str = ""
    user: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    learning: Usage = field(default_factory=Usage)
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "id": self.id,
            "thread_id": self.thread_id,
            "agent": self.agent,
            "status": self.status.value,
            "attempt": self.attempt,
            "question": self.question,
            "mode": self.mode.value,
            "parent": self.parent,
            "user": self.user,
            "created": self.created.isoformat(timespec="milliseconds"),
            "ended": self.ended.isoformat(timespec="milliseconds") if self.ended else None,
            "usage": usage_to_data(self.usage),
            "learning": usage_to_data(self.learning),
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Run":
        """Return the run that `to_dict` made ``data`` of.

        Raises:
            KeyError, ValueError, TypeError: it is no such data.
        """
        ended = data.get("ended")
        return cls(
            id=str(data["id"]),
            thread_id=str(data["thread_id"]),
            agent=str(data["agent"]),
            status=RunStatus(data["status"]),
            attempt=int(data["attempt"]),
            question=str(data["question"]),
            mode=RunMode(data["mode"]),
            parent=str(data["parent"]),
            user=str(data["user"]),
            created=datetime.fromisoformat(data["created"]),
            ended=datetime.fromisoformat(ended) if ended else None,
            usage=usage_from_data(data["usage"]),
            learning=usage_from_data(data.get("learning", {})),
            error=str(data["error"]),
        )

    def to_hash(self) -> dict[str, str]:
        """Return it as the fields of a Redis hash."""
        return {
            name: json.dumps(value) if name in _JSON else value
            for name, value in self.to_dict().items()
        }

    @classmethod
    def from_hash(cls, run_id: str, found: Mapping[str, bytes]) -> "Run":
        """Return the run that a Redis hash holds.

        Raises:
            JournalError: the hash is damaged.
        """
        try:
            texts = {name: value.decode() for name, value in found.items() if value is not None}
            return cls.from_dict(
                {name: json.loads(text) if name in _JSON else text for name, text in texts.items()}
            )
        except (KeyError, ValueError, TypeError) as problem:
            raise JournalError(f"The record of the run {run_id} is damaged: {problem}.") from None


_JSON = {"attempt", "ended", "usage", "learning"}
FIELDS = tuple(item.name for item in fields(Run))
"""The fields of a run's hash, beside its input."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run as it was accepted.

    Attributes:
        run: the run.
        given: what its graph is to be given.
        request: how it is to be executed, as data; nothing for a run that was never queued.
        resumption: what it was taken up again with, where it was.
    """

    run: Run
    given: Any
    request: Mapping[str, Any]
    resumption: Resumption | None = None

    @classmethod
    def new(cls, run: Run, given: Any, request: Mapping[str, Any]) -> "Accepted":
        """Return a run that is being accepted, exactly as it will be read."""
        read = [from_data(json.loads(json.dumps(to_data(one)))) for one in (given, dict(request))]
        run = Run.from_dict(run.to_dict())
        return cls(run, read[0], read[1])
