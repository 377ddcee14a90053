"""A schedule as it is kept, and its fires."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from treadle.core.calendar import Timing
from treadle.core.scheduling import ScheduleSettings
from treadle.runtime.schedules._asked import Asked

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FireStatus(StrEnum):
    """Where a fire stands."""

    OPEN = "open"
    """It is about to be handed to the queue."""
    WAITING = "waiting"
    """It waits for the run of the fire before it."""
    RUNNING = "running"
    """The queue has its run."""
    INTERRUPTED = "interrupted"
    """Its run waits for a person."""
    SUCCESS = "success"
    """Its run came to its end."""
    ERROR = "error"
    """Its run failed."""
    CANCELLED = "cancelled"
    """Its run was stopped."""
    TIMEOUT = "timeout"
    """Its run reached its time limit."""
    SKIPPED = "skipped"
    """The run of the fire before it was not over."""
    REFUSED = "refused"
    """It could not be made a run; ``note`` says why."""
    MISSED = "missed"
    """Nobody was there for it, and for ``count`` in all."""


class FireKind(StrEnum):
    """Why a fire came about."""

    PLANNED = "planned"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule.

    Attributes:
        name: its name, unique within the tenant.
        settings: what it was told.
        source: where it comes from: a file of a project, or ``command line``.
        created: when it was first kept.
        revision: counts its changes.
        next: the planned moment of its next fire; ``None`` when none follows.
        due: when that fire is due, jitter included.
        is_paused: whether it was told to rest.
        active: the fire whose run is not over; empty without one.
        project: which project's files it comes from; empty where it does not.
        asked: what its runs are asked for beyond its settings; ``None`` for nothing.
    """

    name: str
    settings: ScheduleSettings
    source: str
    created: datetime
    revision: int = 0
    next: datetime | None = None
    due: datetime | None = None
    is_paused: bool = False
    active: str = ""
    project: str = ""
    asked: Asked | None = None

    @property
    def timing(self) -> Timing:
        """Its planned moments."""
        return self.settings.timing(self.created)

    @classmethod
    def from_hash(cls, name: str, found: Mapping[bytes, bytes]) -> "Schedule":
        """Return the schedule that a hash of Redis holds.

        Raises:
            ValueError, KeyError, TypeError: it holds none that this version can read.
        """
        told = {key.decode(): value.decode() for key, value in found.items()}
        return cls(
            name,
            ScheduleSettings.model_validate_json(told["settings"]),
            told["source"],
            moment_of(told["created_ms"]),
            int(told["revision"]),
            optional_moment(told["next_ms"]),
            optional_moment(told["due_ms"]),
            told["paused"] == "1",
            told.get("active", ""),
            told["project"],
            Asked.from_json(told["asked"]) if told.get("asked") else None,
        )


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire of a schedule.

    Attributes:
        id: the schedule's name and the planned moment: the same wherever it is reckoned.
        schedule: the schedule's name.
        planned: the moment it was planned for.
        kind: why it came about.
        status: where it stands.
        fired: when it was taken up; ``None`` for what was missed.
        ended: when it was over.
        run_id, thread_id: its run; empty without one.
        usd: what its run cost, in US dollars.
        tokens: how many tokens its run used.
        note: why it did not do what it should.
        count: of what was missed, how many fires.
    """

    id: str
    schedule: str
    planned: datetime
    kind: FireKind = FireKind.PLANNED
    status: FireStatus = FireStatus.OPEN
    fired: datetime | None = None
    ended: datetime | None = None
    run_id: str = ""
    thread_id: str = ""
    usd: Decimal = Decimal(0)
    tokens: int = 0
    note: str = ""
    count: int = 1

    @classmethod
    def from_hash(cls, id_: str, found: Mapping[bytes, bytes]) -> "Fire":
        """Return the fire that a hash of Redis holds; raises as `Schedule.from_hash`."""
        told = {key.decode(): value.decode() for key, value in found.items()}
        return cls(
            id_,
            told["schedule"],
            moment_of(told["planned_ms"]),
            FireKind(told["kind"]),
            FireStatus(told["status"]),
            optional_moment(told.get("fired_ms", "")),
            optional_moment(told.get("ended_ms", "")),
            told.get("run_id", ""),
            told.get("thread_id", ""),
            Decimal(told.get("usd", "0")),
            int(told.get("tokens", "0")),
            told.get("note", ""),
            int(told.get("count", "1")),
        )


def to_ms(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return (moment - _EPOCH) // _MS


def moment_of(ms: str | bytes | int) -> datetime:
    """Return the moment of so many milliseconds since 1970."""
    return _EPOCH + int(ms) * _MS


def optional_moment(ms: str) -> datetime | None:
    """Return the moment, or ``None`` for an empty text."""
    return moment_of(ms) if ms else None


def settings_json(settings: ScheduleSettings) -> str:
    """Return settings as they are kept: only what was told, in one order."""
    told = settings.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(told, ensure_ascii=False, sort_keys=True)
