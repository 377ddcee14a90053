"""``treadle schedule``, but for ``simulate``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from treadle.cli._console import err, hint, out, print_json
from treadle.cli._opening import Opening
from treadle.cli._safe import visible
from treadle.cli._schedule_view import (
    fire_data,
    print_list,
    print_moments,
    print_schedule,
    schedule_data,
    settings_data,
)
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.schedules import Fire, Schedule, ScheduleSettings, Written

_NONE = (
    "No schedules yet. Add one: treadle schedule add digest 'News of looms' "
    "--cron '0 8 * * MON-FRI' --tz Europe/Paris"
)
_ARGUMENTS = {"input": "TEXT", "per_month-usd": "--month-usd"}
"""What was typed for a setting, where that is not its name with two dashes before."""
_SAID = {
    "string_too_short": "there is nothing to ask",
    "string_pattern_mismatch": "use 1 to 64 of a-z, 0-9, - and _, beginning with a letter or digit",
}
"""What is said of what Pydantic says in words of programs."""
NOBODY = "Nobody fires them at the moment: start 'treadle serve' or 'treadle worker'."


def add_schedule(opening: Opening, name: str, told: Mapping[str, Any], *, as_json: bool) -> None:
    """Add a schedule and say when it fires first.

    Raises:
        InputError: what it is told cannot be used.
    """
    settings = settings_of(told)

    async def add(runtime: Runtime) -> tuple[Schedule, bool]:
        kept = await runtime.schedules.add(name, settings)
        return kept, await runtime.schedules.are_watched()

    kept, is_watched = opening.run(add)
    if as_json:
        print_json(schedule_data(kept))
        return
    out.print(Text.assemble(("Added ", "bold"), (kept.name, "bold cyan"), ", which fires:"))
    following = [kept.next] if kept.next else []
    print_moments(following, settings.tz, datetime.now(UTC))
    hint(f"\nTry it out first: treadle schedule simulate {name}")
    if not is_watched:
        err.print(NOBODY, style="yellow")


def settings_of(told: Mapping[str, Any]) -> ScheduleSettings:
    """Return what was told on the command line as settings.

    Raises:
        InputError: it cannot be used; the message names the option.
    """
    given = {key: value for key, value in told.items() if value is not None}
    for group in ("budget", "per_month"):
        limits = {unit: value for unit, value in given.pop(group, {}).items() if value is not None}
        if limits:
            given[group] = limits
    try:
        return ScheduleSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = "-".join(str(part) for part in first["loc"])
        place = _ARGUMENTS.get(place, f"--{place}")
        message = _SAID.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise InputError(f"{place}: {message}." if first["loc"] else f"{message}.") from None


def list_schedules(opening: Opening, *, as_json: bool) -> None:
    """Print the schedules by name."""

    async def read(
        runtime: Runtime,
    ) -> tuple[list[Schedule], Mapping[str, Written], bool, Mapping[str, str]]:
        kept = await runtime.schedules.list()
        names = {one.name for one in kept}
        new = {k: one for k, one in runtime.schedules.written().items() if k not in names}
        elsewhere = {one.name: runtime.schedules.why_not_here(one) for one in kept}
        return kept, new, await runtime.schedules.are_watched(), elsewhere

    found, new, is_watched, elsewhere = opening.run(read)
    if as_json:
        not_yet = [
            {"name": name, "source": one.source, "settings": settings_data(one.settings)}
            for name, one in new.items()
        ]
        told = [{**schedule_data(one), "not_fired_here": elsewhere[one.name]} for one in found]
        print_json([*told, *not_yet])
        return
    if not found and not new:
        err.print(_NONE, style="dim", highlight=False, soft_wrap=True)
        return
    print_list(found, new, datetime.now(UTC))
    for name, why in elsewhere.items():
        if why:
            said = f"{name} is not fired here: {why}."
            err.print(visible(said), style="yellow", markup=False, highlight=False)
    if not is_watched:
        err.print(f"\n{NOBODY}", style="yellow")


def show_schedule(opening: Opening, name: str, count: int, *, as_json: bool) -> None:
    """Print a schedule with its latest fires."""

    async def read(runtime: Runtime) -> tuple[Schedule, list[Fire]]:
        schedules = runtime.schedules
        return await schedules.get(name), list(await schedules.history(name, count))

    found, fires = opening.run(read)
    if as_json:
        print_json({**schedule_data(found), "fires": [fire_data(fire) for fire in fires]})
    else:
        print_schedule(found, fires, datetime.now(UTC))


def pause_schedule(opening: Opening, name: str, *, as_json: bool) -> None:
    """Let a schedule rest."""
    found = opening.run(lambda rt: rt.schedules.pause(name))
    if as_json:
        print_json(schedule_data(found))
    else:
        told = Text(f"{name} rests. Go on with it: treadle schedule resume {name}")
        out.print(told, soft_wrap=True)


def resume_schedule(opening: Opening, name: str, *, as_json: bool) -> None:
    """Let a schedule fire again."""
    found = opening.run(lambda rt: rt.schedules.resume(name))
    if as_json:
        print_json(schedule_data(found))
        return
    out.print(f"{name} fires again:", highlight=False)
    print_moments([found.next] if found.next else [], found.settings.tz, datetime.now(UTC))


def run_schedule_now(opening: Opening, name: str, *, as_json: bool) -> None:
    """Fire a schedule once."""

    async def fire(runtime: Runtime) -> tuple[str, bool]:
        id_ = await runtime.schedules.run_now(name)
        return id_, await runtime.schedules.are_watched()

    id_, is_watched = opening.run(fire)
    if as_json:
        print_json({"fire": id_, "is_watched": is_watched})
        return
    told = Text(f"{name} fires now. See what came of it: treadle schedule show {name}")
    out.print(told, soft_wrap=True)
    if not is_watched:
        err.print("It waits: start 'treadle serve' or 'treadle worker'.", style="yellow")


def remove_schedule(opening: Opening, name: str, *, force: bool, as_json: bool) -> None:
    """Remove a schedule."""
    opening.run(lambda rt: rt.schedules.remove(name, force=force))
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"Removed {name}.", highlight=False)


def print_next(opening: Opening, name: str, count: int, *, as_json: bool) -> None:
    """Print the next moments of a schedule."""

    async def read(runtime: Runtime) -> tuple[Schedule, list[datetime]]:
        schedules = runtime.schedules
        return await schedules.get(name), list(await schedules.next(name, count))

    found, following = opening.run(read)
    if as_json:
        print_json([moment.isoformat() for moment in following])
    elif following:
        print_moments(following, found.settings.tz, datetime.now(UTC))
        if found.is_paused:
            hint(f"\nIt rests: treadle schedule resume {name}", "yellow")
    else:
        err.print("It is over: nothing follows.", style="dim")
