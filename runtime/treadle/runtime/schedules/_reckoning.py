"""Which planned moments fire now, which were missed, and what comes next. No clock here."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from treadle.core.calendar import Timing, moments
from treadle.core.scheduling import ScheduleSettings

ON_TIME = timedelta(seconds=60)
"""A fire later than this was missed: nobody was there for it."""
AT_ONCE = 100
"""How many fires of one schedule are made up for in one step; more follow in the next."""
COUNTED = 1_000
"""Up to how many missed fires are counted one by one."""

_MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)
_LOOK_BACK = [timedelta(seconds=90 * 30**power) for power in range(5)] + [timedelta(days=20_000)]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What becomes of a schedule at a moment.

    Attributes:
        fires: the planned moments to fire for, in order.
        missed: how many were left out; `COUNTED` where it may be more.
        next: the planned moment after those; ``None`` when there is none.
    """

    fires: tuple[datetime, ...]
    missed: int
    next: datetime | None


def fire_id(schedule: str, planned: datetime) -> str:
    """Return what names the fire of a schedule at a planned moment, the same everywhere."""
    return f"{schedule}@{planned:%Y%m%dT%H%M%SZ}"


def due(schedule: str, planned: datetime, jitter: timedelta) -> datetime:
    """Return when a fire is due: its planned moment, and the part of the jitter that is its own."""
    if not jitter:
        return planned
    digest = hashlib.sha256(fire_id(schedule, planned).encode()).digest()
    return planned + int.from_bytes(digest[:8]) % max(1, jitter // _MS) * _MS


def reckon(
    schedule: str, settings: ScheduleSettings, timing: Timing, planned: datetime, now: datetime
) -> Reckoning:
    """Return what is to be done.

    Args:
        schedule: its name.
        settings: its policies.
        timing: its planned moments.
        planned: the first one that was not dealt with.
        now: the moment.
    """

    late = due(schedule, planned, settings.jitter) + ON_TIME < now
    first = _first(schedule, settings, timing, planned, now) if late else planned
    fires: list[datetime] = []
    following = first
    while following is not None and due(schedule, following, settings.jitter) <= now:
        if len(fires) == AT_ONCE:
            break
        fires.append(following)
        following = timing.after(following)
    return Reckoning(tuple(fires), _count(timing, planned, first), following)


def _first(
    schedule: str, settings: ScheduleSettings, timing: Timing, planned: datetime, now: datetime
) -> datetime | None:
    """Return the first moment that is not left out, where the one that was planned is late."""
    if settings.missed == "once":
        return _latest(schedule, settings, timing, planned, now)
    latest_by = settings.window if settings.missed == "all" else ON_TIME
    since = max(planned, now - latest_by - settings.jitter)
    for moment in moments(timing, since - _US):
        if due(schedule, moment, settings.jitter) + latest_by >= now:
            return moment
    return None


def _latest(
    schedule: str, settings: ScheduleSettings, timing: Timing, planned: datetime, now: datetime
) -> datetime:
    """Return the latest moment that is due; the planned one is, so there is one."""
    for span in _LOOK_BACK:  # From a little back to far back: few moments lie in the first to do.
        since = max(planned, now - span - settings.jitter)
        following = moments(timing, since - _US)
        found = list(takewhile(lambda one: due(schedule, one, settings.jitter) <= now, following))
        if found:
            return found[-1]
    return planned


def _count(timing: Timing, planned: datetime, first: datetime | None) -> int:
    between = takewhile(lambda one: first is None or one < first, moments(timing, planned - _US))
    return sum(1 for _ in islice(between, COUNTED))
