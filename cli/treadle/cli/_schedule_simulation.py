"""``treadle schedule simulate``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from rich.text import Text

from treadle.agents import Agent, Budget
from treadle.cli._console import counted, err, out, print_json
from treadle.cli._opening import Opening
from treadle.cli._plan import Found, plan_data, print_plan
from treadle.cli._schedule import settings_of
from treadle.cli._schedule_view import money, print_field, print_moments, when_in_words
from treadle.core.calendar import Timing, moments
from treadle.core.errors import InputError
from treadle.core.limits import Limits
from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.runtime.schedules import ScheduleSettings, thread_of

MONTH = timedelta(days=30)
_NO_BUDGETS = ({"usd": None}, {"usd": None, "tokens": None})
_COUNTED = 2_000
"""Up to how many fires of a month are counted; beyond that their rate is."""


@dataclass(frozen=True, slots=True)
class Month:
    """What the next 30 days would cost.

    Attributes:
        fires: how many fires there are.
        usd: what they cost, in US dollars; ``None`` where the price is not known.
        tokens: how many tokens they use.
        affordable: how many of the fires the budget of a month allows.
    """

    fires: int
    usd: Decimal | None
    tokens: int
    affordable: int

    @classmethod
    def of(cls, settings: ScheduleSettings, timing: Timing, usage: Usage, now: datetime) -> "Month":
        """Reckon that each fire costs what one did."""
        fires = _fires(timing, now)
        usd = None if usage.unpriced_calls else usage.usd * fires
        affordable = fires
        for limit, one in (
            (settings.per_month.usd, usage.usd),
            (settings.per_month.tokens, usage.total_tokens),
        ):
            if limit is not None and one > 0:
                affordable = min(affordable, int(limit / one))
        return cls(fires, usd, usage.total_tokens * fires, affordable)


def simulate(
    opening: Opening, name: str, told: Mapping[str, Any], count: int, *, as_json: bool
) -> None:
    """Print when a schedule fires, what one fire would do, and what a month would cost.

    Raises:
        InputError: it is no schedule, and what was told makes none.
        RunError: the dry run failed.
    """

    async def go_through(
        runtime: Runtime,
    ) -> tuple[ScheduleSettings, Timing, Found, datetime]:
        settings, timing = await _schedule(runtime, name, told)
        now = datetime.now(UTC)
        thread = thread_of(name) if settings.thread == "schedule" else None
        agent = _within(runtime.agent(settings.agent), settings.budget)
        plan = await runtime.dry_run(agent, settings.input, thread=thread, user=settings.user)
        return settings, timing, await Found.of(runtime, plan), now

    settings, timing, found, now = opening.run(go_through)
    plan = found.plan
    following = list(islice(moments(timing, now), count))
    month = Month.of(settings, timing, plan.reply.usage, now)
    if as_json:
        print_json(
            {
                "next": [moment.isoformat() for moment in following],
                "plan": plan_data(plan),
                "next_30_days": {
                    "fires": month.fires,
                    "usd": month.usd,
                    "tokens": month.tokens,
                    "affordable_fires": month.affordable,
                },
            }
        )
        return
    print_field("agent", Text(settings.agent))
    print_field("asks", Text(settings.input))
    print_field("when", Text(when_in_words(settings)))
    out.print()
    fires = "fire" if len(following) == 1 else f"{len(following)} fires"
    out.print(Text(f"The next {fires}", style="bold"))
    print_moments(following, settings.tz, now)
    out.print()
    print_plan(found, as_json=False)
    if plan.reply.stopped:
        out.print(Text(f"\nIt would end early: {plan.reply.stopped}", style="yellow"))
    _print_month(settings, month)


async def _schedule(
    runtime: Runtime, name: str, told: Mapping[str, Any]
) -> tuple[ScheduleSettings, Timing]:
    """Return the schedule of that name, or the one that was described."""
    if any(told[key] is not None for key in ("cron", "every", "at")):
        settings = settings_of({**told, "agent": told["agent"] or name})
        return settings, settings.timing(datetime.now(UTC))
    others = [key for key, value in told.items() if value and value not in _NO_BUDGETS]
    if others:
        raise InputError(
            f"--{others[0]} changes nothing in a schedule that there is.",
            hint="Say when as well, with --cron, --every or --at, to simulate a new one.",
        )
    if (written := runtime.schedules.written().get(name)) is not None:
        return written.settings, written.settings.timing(datetime.now(UTC))
    found = await runtime.schedules.get(name)
    return found.settings, found.timing


def _within(agent: Agent, limits: Limits) -> Agent:
    """Return the agent with no more than the budget of a fire."""
    own = agent.budget.model_dump(exclude_none=True)
    told = limits.model_dump(exclude_none=True)
    least = {unit: min(limit, own.get(unit, limit)) for unit, limit in told.items()}
    return agent.model_copy(update={"budget": Budget(**{**own, **least})})


def _fires(timing: Timing, now: datetime) -> int:
    counted, last = 0, now
    for moment in islice(moments(timing, now), _COUNTED):
        if moment > now + MONTH:
            return counted
        counted, last = counted + 1, moment
    return counted if counted < _COUNTED else round(MONTH / ((last - now) / _COUNTED))


def _print_month(settings: ScheduleSettings, month: Month) -> None:
    out.print()
    out.print(Text("The next 30 days", style="bold"))
    cost = "a price that is not known" if month.usd is None else f"about {money(month.usd)}"
    fires, tokens = counted(month.fires, "fire"), counted(month.tokens, "token")
    out.print(f"  {fires}, {tokens}, {cost}", highlight=False)
    if month.affordable < month.fires:
        said = f"  The budget of a month ends after about {month.affordable:,} of them."
        out.print(Text(said, style="yellow"))
    if month.usd is None:
        err.print(
            "\nSet the model's price in treadle.toml to see what it costs: [models.NAME] price",
            style="dim",
            markup=False,
        )
    if settings.per_month.usd is None and month.usd:
        err.print("\nNo budget for a month is set: --month-usd is a wall.", style="dim")
