"""When something is planned: cron lines in a time zone, intervals, single moments. No clock here.

A timing maps a moment to the next one after it, and that is all: whoever asks twice is told the
same, and no moment depends on when the last one was handled, so nothing drifts.

Daylight saving. A line that names hours (``30 2 * * *``) means what the clock on the wall shows:
what falls into an hour that is skipped happens once, as soon as that hour is over; what falls into
an hour that comes twice happens once, the first time. A line for every hour (``*/5 * * * *``) goes
by elapsed time: it goes on through both passes of an hour that comes twice, and an hour that is
skipped holds nothing to make up for. Intervals are elapsed time as well: a day is 24 hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import islice, pairwise
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from treadle.core.durations import show_duration
from treadle.core.errors import InputError, nearest

_SECOND = timedelta(seconds=1)
_HOURS_OF_A_DAY = 24
_FIELDS = "[second] minute hour day month weekday"
_NAMES = ("second", "minute", "hour", "day-of-month", "month", "day-of-week")
_DAYS = frozenset(str(day) for day in range(1, 32))
_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
SHORTEST = _SECOND
"""The shortest interval: a cron line cannot be told a shorter one either."""


class Timing(Protocol):
    """What tells the planned moments."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first planned moment after this one, in UTC; ``None`` when there is none."""
        ...


def moments(timing: Timing, after: datetime) -> Iterator[datetime]:
    """Yield the planned moments after ``after``, in order."""
    found = timing.after(after)
    while found is not None:
        yield found
        found = timing.after(found)


@dataclass(frozen=True, slots=True)
class Once:
    """A single moment."""

    at: datetime

    def after(self, moment: datetime) -> datetime | None:
        """See `Timing`."""
        at = self.at.astimezone(UTC)
        return at if at > moment else None

    def __str__(self) -> str:
        return "once"


@dataclass(frozen=True, slots=True)
class Every:
    """Moments at the same distance from each other; the first is the anchor."""

    span: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.span < SHORTEST:
            raise InputError(
                f"An interval of {show_duration(self.span)} is too short.",
                hint="The shortest is 1s.",
            )

    def after(self, moment: datetime) -> datetime | None:
        """See `Timing`."""
        steps = max((moment - self.anchor) // self.span + 1, 0)
        try:
            return (self.anchor + steps * self.span).astimezone(UTC)
        except OverflowError:
            return None

    def __str__(self) -> str:
        return f"every {show_duration(self.span)}"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line of five fields, or of six with the seconds first, in a time zone.

    What follows Debian's cron: ``*``, lists, ranges, steps, names of months and days, ``L`` for
    the last day, ``MON#2`` for the second Monday, 0 and 7 for Sunday; where day and weekday are
    both given, either is enough. ``@daily`` and its kin are known; ``@reboot`` is not.

    Raises:
        InputError: the line cannot be read, or never fires; or there is no such zone.
    """

    line: str
    zone_name: str = "UTC"
    _zone: tzinfo = field(init=False, repr=False, compare=False)
    _is_steady: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", zone(self.zone_name))
        hours = len(_parsed(self.line).hours)
        object.__setattr__(self, "_is_steady", hours == _HOURS_OF_A_DAY)
        if self.after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise _never(self.line)

    def after(self, moment: datetime) -> datetime | None:
        """See `Timing`."""
        wall = moment.astimezone(self._zone).replace(microsecond=0)
        if self._is_steady:
            # Aware times make the library go by elapsed time; the sixth field keeps it from
            # treating some five-field lines otherwise.
            return _utc(next(CronSim(_six(self.line), wall), None))
        for planned in CronSim(_six(self.line), wall.replace(tzinfo=None, fold=0)):
            found = _on_the_wall(planned, self._zone)
            if found > moment:  # What the wall shows a second time happened the first time.
                return found
        return None

    def __str__(self) -> str:
        return f"{self.line} {self.zone_name}"

    def explained(self) -> str:
        """Return the line in words, such as ``At 08:00 every day``."""
        return str(_parsed(self.line).explain())


def zone(name: str) -> tzinfo:
    """Return the time zone of that IANA name.

    Raises:
        InputError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = nearest(name, _zones()) or next(
            (one for one in _zones() if one.lower().endswith(f"/{name.lower()}")), None
        )
        offer = f" Did you mean {close!r}?" if close else ""
        raise InputError(
            f"There is no time zone {name!r}.{offer}",
            hint="Use an IANA name, such as Europe/Paris, America/New_York or UTC.",
        ) from None


@dataclass(frozen=True, slots=True)
class Between:
    """The moments of another timing from ``start`` to ``end``, both included."""

    timing: Timing
    start: datetime | None = None
    end: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """See `Timing`."""
        if self.start is not None:
            moment = max(moment, self.start.astimezone(UTC) - timedelta(microseconds=1))
        found = self.timing.after(moment)
        return None if found is None or (self.end is not None and found > self.end) else found

    def __str__(self) -> str:
        return str(self.timing)


def shortest_gap(timing: Timing, after: datetime, among: int = 100) -> timedelta | None:
    """Return the shortest time between two of the next ``among`` planned moments."""
    planned = list(islice(moments(timing, after), among))
    gaps = [later - earlier for earlier, later in pairwise(planned)]
    return min(gaps, default=None)


@lru_cache(maxsize=4_096)
def _parsed(line: str) -> CronSim:
    """Return a line as the library reads it, to be asked what is in it.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return CronSim(_six(line), datetime(2000, 1, 1))
    except CronSimError as problem:
        name = str(problem).removeprefix("Bad ")
        fields = _six(line).split()
        if name == "day-of-month" and all(one in _DAYS for one in fields[3].split(",")):
            raise _never(line) from None
        told = f"it has {len(line.split())} fields, and five or six are needed"
        if name in _NAMES:
            told = f"its {name.replace('-', ' ')} is {fields[_NAMES.index(name)]!r}"
    except RecursionError:
        told = "it is too deep"
    raise InputError(
        f"The cron line {line[:100]!r} cannot be read: {told}.",
        hint=f"The fields are '{_FIELDS}': '0 8 * * MON-FRI' is 8:00 on working days.",
    )


def _never(line: str) -> InputError:
    return InputError(
        f"The cron line {line!r} never fires: no month in it has such a day.",
        hint="Choose a day that comes, or 'L' for the last one of a month.",
    )


def _six(line: str) -> str:
    line = _SHORTHANDS.get(line.strip().lower(), line)
    return line if len(line.split()) != 5 else f"0 {line}"


def _on_the_wall(planned: datetime, zone_: tzinfo) -> datetime:
    """Return when a clock on the wall first shows a time, or is first past it."""
    at = planned.replace(tzinfo=zone_, fold=0).astimezone(UTC)
    if at.astimezone(zone_).replace(tzinfo=None) == planned:
        return at
    # It is skipped. Read with the offset from before, it lies after the jump; with the one from
    # after, before it.
    before, after = planned.replace(tzinfo=zone_, fold=1).astimezone(UTC), at
    offset = before.astimezone(zone_).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone_).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
