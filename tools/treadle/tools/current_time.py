"""The ``current_time`` tool: what time it is, anywhere."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.tools._contract import Tool, tool
from treadle.tools._registry import ToolContext

Clock = Callable[[], datetime]
"""Returns the present moment, with its time zone."""


def build(context: ToolContext) -> Tool:
    """Make the tool; it needs nothing of the project."""
    return make_tool(lambda: datetime.now(UTC))


def make_tool(clock: Clock) -> Tool:
    """Make the tool with a clock of the caller's choice."""

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=5))
    def current_time(timezone: str = "UTC") -> str:
        """Tell the current date, weekday and time in a time zone.

        Use it whenever an answer depends on today's date or the time now: you cannot know either
        by yourself.

        Args:
            timezone: an IANA name such as "Europe/Paris", a city that names a zone such as
                "Tokyo", an offset such as "+05:30", or "local" for this computer's own zone.
        """
        name = timezone.strip()[:_MAX_NAME_CHARS] or "UTC"
        if name.lower() == "local":
            return _describe(clock().astimezone(), "this computer's time zone")
        zone, known_as = _find_zone(name)
        return _describe(clock().astimezone(zone), known_as)

    return current_time


def _describe(moment: datetime, zone: str) -> str:
    offset = moment.strftime("%z")
    offset = f"UTC{offset[:3]}:{offset[3:5]}"
    year, week, _ = moment.isocalendar()
    return (
        f"{moment.isoformat(timespec='seconds')}\n"
        f"{moment:%A}, {moment.day} {moment:%B %Y}, {moment:%H:%M:%S} in {zone} ({offset}; "
        f"week {week} of {year}, day {moment.timetuple().tm_yday} of the year)"
    )


_MAX_NAME_CHARS = 60
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)


def _find_zone(name: str) -> tuple[tzinfo, str]:
    """Return the zone of that name, and the name it goes by.

    Raises:
        ToolError: there is none, more than one city has the name, or the system knows no zones.
    """
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC, "UTC"
    if offset := _OFFSET.fullmatch(name):
        return _fixed_zone(name, offset), name
    zones = _zones_by_name()
    if not zones:
        raise ToolError(
            f"This system has no time zone database, so {name!r} cannot be looked up.",
            hint="Use UTC or an offset such as '+02:00'; 'pip install tzdata' adds the database.",
        )
    found = zones.get(_fold(name), ())
    if len(found) == 1:
        return ZoneInfo(found[0]), found[0]
    raise _no_such_zone(name, found or _nearest_zones(name))


def _fixed_zone(name: str, offset: re.Match[str]) -> timezone:
    sign, hours, minutes = offset.groups(default="0")
    distance = timedelta(hours=int(hours), minutes=int(minutes))
    if distance > timedelta(hours=14):
        raise ToolError(f"{name!r} is no offset from UTC.", hint="They end at -14:00 and +14:00.")
    return timezone(-distance if sign == "-" else distance)


@cache
def _zones_by_name() -> dict[str, tuple[str, ...]]:
    """Return the zones by their names and their cities, both in lower case."""
    zones: dict[str, tuple[str, ...]] = {}
    names = sorted(available_timezones())
    for name in names:
        area, _, city = name.rpartition("/")
        if area and not area.startswith(("Etc", "US", "SystemV")):
            zones[_fold(city)] = (*zones.get(_fold(city), ()), name)
    zones.update({_fold(name): (name,) for name in names})
    return zones


def _fold(name: str) -> str:
    return "_".join(name.casefold().split())


def _nearest_zones(name: str) -> tuple[str, ...]:
    zones = _zones_by_name()
    places = [_fold(name), *(_fold(part) for part in re.split(r"[/,]", name) if part.strip())]
    close = [match for place in places for match in get_close_matches(place, zones, n=3)]
    return tuple(dict.fromkeys(zone for match in close for zone in zones[match]))[:5]


def _no_such_zone(name: str, choices: tuple[str, ...]) -> ToolError:
    hint = f"Nearest are: {', '.join(choices)}." if choices else "Name one as 'Europe/Paris'."
    return ToolError(f"No time zone is named {name!r}.", hint=hint)
