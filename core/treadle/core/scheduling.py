"""What a schedule is told: when, which agent, and what becomes of fires that were missed.

The same fields stand in ``treadle.toml``, in an agent's file, and on the command line.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from treadle.core.calendar import Between, Cron, Every, Once, Timing, shortest_gap, zone
from treadle.core.durations import Duration, show_duration
from treadle.core.errors import InputError
from treadle.core.limits import Limits

MAX_SPAN = timedelta(days=3_660)
MAX_INPUT_CHARS = 400_000
DO_YOUR_TASK = "Do your task."
"""What an agent is asked that was told its task in its own file."""
_ANY = datetime(2000, 1, 1, tzinfo=UTC)
"""A moment to begin from where any will do: what is refused does not depend on the day."""

QueueName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What a queue can be called."""
ScheduleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What a schedule is called in a file."""

T = TypeVar("T")
Missed = Literal["skip", "once", "all"]
Overlap = Literal["skip", "queue", "cancel", "allow"]


class ScheduleSettings(BaseModel):
    """A task that runs by itself. Exactly one of ``cron``, ``every`` and ``at`` says when.

    Attributes:
        agent: which agent; in an agent's own file it is that one.
        input: what it is asked.
        cron: a cron line of five fields, or six with the seconds first.
        every: an interval, such as ``6h``; counted from ``start``, or from when it was added.
        at: a single moment.
        tz: the IANA zone that ``cron``, ``at``, ``start`` and ``end`` are told in.
        start: nothing fires before.
        end: nothing fires after.
        jitter: each fire is late by a part of this, always the same for the same fire.
        missed: what becomes of fires that nobody was there for: ``skip`` leaves them out, ``once``
            makes up for all of them with one, ``all`` makes up for each within ``window``.
        window: how late a fire may be made up for, with ``all``.
        overlap: what becomes of a fire while the run of the one before is not over: ``skip``
            leaves it out, ``queue`` lets it wait, ``cancel`` stops the old run, ``allow`` lets both
            run.
        thread: ``fire`` begins a conversation for each fire, ``schedule`` goes on with one.
        user: whose long-term memory is used.
        queue: the queue its runs go to.
        budget: what one fire may use, beside the agent's own budget.
        per_month: what all fires of a month, UTC, may use together.
        notify: the notifications, by name, that tell of its runs beside those that tell of all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str = ""
    input: str = Field(default=DO_YOUR_TASK, min_length=1, max_length=MAX_INPUT_CHARS)
    cron: str | None = Field(default=None, max_length=500)
    every: Annotated[Duration, Field(le=MAX_SPAN)] | None = None
    at: datetime | None = None
    tz: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    jitter: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=1))] = timedelta(0)
    missed: Missed = "once"
    window: Annotated[Duration, Field(gt=timedelta(0), le=MAX_SPAN)] = timedelta(days=1)
    overlap: Overlap = "skip"
    thread: Literal["fire", "schedule"] = "fire"
    user: str | None = None
    queue: QueueName = "default"
    budget: Limits = Limits()
    per_month: Limits = Limits()
    notify: tuple[str, ...] = ()

    @field_validator("tz")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        return _told(lambda: (zone(name), name)[1])

    @field_validator("cron")
    @classmethod
    def _is_line(cls, line: str | None) -> str | None:
        return line if line is None else _told(lambda: Cron(line).line)

    @field_validator("input")
    @classmethod
    def _is_asked(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("there is nothing to ask")
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        told = [name for name in ("cron", "every", "at") if getattr(self, name) is not None]
        if len(told) != 1:
            raise ValueError(
                f"exactly one of cron, every and at says when, and here {' and '.join(told)} do"
                if told
                else "one of cron, every and at must say when"
            )
        timing = _told(lambda: self.timing(_ANY))
        start, end = self._in_zone(self.start), self._in_zone(self.end)
        if start is not None and end is not None and end <= start:
            raise ValueError("it never fires: its end is not after its start")
        gap = shortest_gap(timing, _ANY) if self.jitter else None
        if gap is not None and self.jitter >= gap:
            raise ValueError(
                f"a jitter of {show_duration(self.jitter)} could change the order of fires, which "
                f"are {show_duration(gap)} apart at times; choose a shorter one"
            )
        return self

    def timing(self, anchor: datetime) -> Timing:
        """Return when it fires.

        Args:
            anchor: where an interval without a ``start`` begins.
        """
        start, end = self._in_zone(self.start), self._in_zone(self.end)
        if self.cron is not None:
            return Between(Cron(self.cron, self.tz), start, end)
        if self.every is not None:
            first = start if start is not None else anchor + self.every
            return Between(Every(self.every, first.astimezone(UTC)), start, end)
        assert self.at is not None  # noqa: S101 - checked above
        moment = self._in_zone(self.at)
        assert moment is not None  # noqa: S101 - as above
        return Between(Once(moment), start, end)

    def when(self) -> str:
        """Return when it fires, in words: ``0 8 * * * Europe/Paris``, ``every 6h``."""
        if self.at is not None:
            return f"at {self.at:%Y-%m-%d %H:%M:%S} {self.tz}"
        return str(self.timing(_ANY))

    def _in_zone(self, moment: datetime | None) -> datetime | None:
        if moment is None or moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=zone(self.tz))


def _told(make: Callable[[], T]) -> T:
    """Return what was made; an error becomes one that names the field and its line."""
    try:
        return make()
    except InputError as problem:
        raise ValueError(str(problem).rstrip(".")) from None
