"""Schedules, as a person reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

from treadle.cli._console import out, rows
from treadle.cli._safe import one_line, visible
from treadle.core.calendar import Cron, zone
from treadle.core.durations import show_duration
from treadle.runtime.schedules import (
    Fire,
    FireKind,
    FireStatus,
    Schedule,
    ScheduleSettings,
    Written,
)

_NOTE_CHARS = 100
_INPUT_CHARS = 400
_STYLES = {
    FireStatus.SUCCESS: "green",
    FireStatus.RUNNING: "cyan",
    FireStatus.OPEN: "cyan",
    FireStatus.WAITING: "cyan",
    FireStatus.INTERRUPTED: "yellow",
    FireStatus.SKIPPED: "yellow",
    FireStatus.MISSED: "yellow",
}


def print_list(schedules: Sequence[Schedule], new: Mapping[str, Written], now: datetime) -> None:
    """Print schedules, a line each, and those of files that no worker has read yet."""
    told = [(one.name, one.settings, _next(one, now), one.source) for one in schedules]
    told += [(name, one.settings, "at the next start", one.source) for name, one in new.items()]
    rows(
        ["schedule", "when", "agent", "next", "from"],
        [
            [name, settings.when(), settings.agent, following, source]
            for name, settings, following, source in sorted(told, key=lambda each: each[0])
        ],
        prose=["when"],
    )


def print_schedule(schedule: Schedule, fires: Sequence[Fire], now: datetime) -> None:
    """Print all of a schedule, and its latest fires."""
    settings = schedule.settings
    fields = {
        "schedule": Text(schedule.name, style="bold"),
        "agent": Text(settings.agent),
        "asks": Text(one_line(settings.input, _INPUT_CHARS)),
        "when": Text(when_in_words(settings)),
        "next": Text(_next(schedule, now)),
        "policy": Text(_policy(settings)),
        "budget": Text(_budget(settings)),
        "tells": Text(", ".join(settings.notify)),
        "from": Text(schedule.source),
    }
    for name, value in fields.items():
        if value.plain:
            print_field(name, value)
    if not fires:
        return
    out.print()
    _print_fires(fires, settings)


def print_field(name: str, value: Text) -> None:
    """Print a named value; its further lines stand below the first."""
    value.plain = visible(value.plain)
    room = max(20, out.width - 10)
    if max(map(cell_len, value.plain.split()), default=0) > room:  # It would be broken.
        out.print(Text(f"{name:10}", style="dim") + value, soft_wrap=True)
        return
    first, *others = value.wrap(out, room)
    out.print(Text(f"{name:10}", style="dim") + first)
    for line in others:
        out.print(Padding(line, (0, 0, 0, 10), expand=False))


def print_moments(moments: Sequence[datetime], zone_name: str, now: datetime) -> None:
    """Print moments as the clock of their zone shows them, and as UTC where that differs."""
    for moment in moments:
        local = moment.astimezone(zone(zone_name))
        cells = [
            f"{local:%Z}",
            *([f"{moment.astimezone(UTC):%H:%M} UTC"] if zone_name != "UTC" else []),
        ]
        line = Text(f"  {local:%a %Y-%m-%d %H:%M:%S}")
        line.append("".join(f"   {cell}" for cell in (*cells, in_words(moment - now))), "dim")
        out.print(line, soft_wrap=True)


def when_in_words(settings: ScheduleSettings) -> str:
    """Return when a schedule fires, a cron line in words as well."""
    said = settings.when()
    if settings.cron is not None:
        said = f"{Cron(settings.cron, settings.tz).explained()} ({said})"
    if settings.start is not None:
        said += f", from {settings.start:%Y-%m-%d %H:%M}"
    if settings.end is not None:
        said += f", until {settings.end:%Y-%m-%d %H:%M}"
    if settings.jitter:
        said += f", up to {show_duration(settings.jitter)} late"
    return said


def in_words(span: timedelta) -> str:
    """Return how far away a moment is, roughly."""
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"in {seconds // size} {unit}"
    return f"in {seconds} s" if seconds > 0 else "now"


def money(usd: Decimal) -> str:
    """Return an amount of US dollars."""
    if not usd:
        return "$0"
    return f"${usd:.4f}" if usd < Decimal("0.1") else f"${usd:,.2f}"


def schedule_data(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as plain data."""
    data = asdict(schedule) | {"settings": settings_data(schedule.settings)}
    return {name: _plain(value) for name, value in data.items()}


def settings_data(settings: ScheduleSettings) -> dict[str, Any]:
    """Return what a schedule was told as plain data."""
    return settings.model_dump(mode="json", exclude_defaults=True)


def fire_data(fire: Fire) -> dict[str, Any]:
    """Return a fire as plain data."""
    return {name: _plain(value) for name, value in asdict(fire).items()}


def _print_fires(fires: Sequence[Fire], settings: ScheduleSettings) -> None:
    lines: list[list[str | Text]] = []
    for fire in fires:
        local = fire.planned.astimezone(zone(settings.tz))
        outcome = Text(fire.status.value, style=_STYLES.get(fire.status, "red"))
        if fire.count > 1:
            outcome.append(f" ({fire.count} times)", "default")
        if fire.note:
            outcome.append(f": {one_line(fire.note, _NOTE_CHARS)}", "default")
        kind = " by hand" if fire.kind is FireKind.MANUAL else ""
        took = fire.ended - fire.fired if fire.ended and fire.fired and fire.run_id else None
        lines.append(
            [
                f"{local:%a %Y-%m-%d %H:%M:%S}{kind}",
                outcome,
                ""
                if took is None
                else show_duration(timedelta(seconds=round(took.total_seconds()))),
                money(fire.usd) if fire.tokens or fire.usd else "",
                fire.run_id,
            ]
        )
    headings = ["fired for", "outcome", "took", "cost", "run"]
    rows(headings, lines, prose=["outcome"], right=["cost"])


def _next(schedule: Schedule, now: datetime) -> str:
    if schedule.is_paused:
        return "rests"
    if schedule.next is None:
        return "over"
    at = schedule.due or schedule.next
    local = at.astimezone(zone(schedule.settings.tz))
    return f"{local:%a %Y-%m-%d %H:%M:%S} ({in_words(at - now)})"


def _policy(settings: ScheduleSettings) -> str:
    missed: str = settings.missed
    if missed == "all":
        missed = f"all within {show_duration(settings.window)}"
    conversation = "one for all" if settings.thread == "schedule" else "one for each fire"
    return f"missed: {missed} · overlap: {settings.overlap} · conversation: {conversation}"


def _budget(settings: ScheduleSettings) -> str:
    parts = []
    for title, limits in (("a fire", settings.budget), ("a month", settings.per_month)):
        told = limits.model_dump(exclude_none=True)
        units = [
            money(Decimal(value)) if unit == "usd" else f"{value:,} {unit.replace('_', ' ')}"
            for unit, value in told.items()
        ]
        if units:
            parts.append(f"{title}: {', '.join(units)}")
    return " · ".join(parts)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
