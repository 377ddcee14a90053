"""The commands of ``treadle schedule``."""

from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, ModelName, Project, RedisUrl, UserName

schedule_app = typer.Typer(
    help="Let agents do tasks by themselves, at planned times.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="The schedule's name.")]
Input = Annotated[str | None, typer.Argument(help="What the agent is asked.")]
ForAgent = Annotated[
    str | None,
    typer.Option("--agent", "-a", help="Which agent; the one of the schedule's name by default."),
]
Cron = Annotated[str | None, typer.Option(help="A cron line: '0 8 * * MON-FRI'.")]
Every = Annotated[str | None, typer.Option(help="An interval: 30s, 15m, 6h, 2d.")]
At = Annotated[str | None, typer.Option(help="A single time: 2027-01-31T08:00.")]
Zone = Annotated[str | None, typer.Option("--tz", help="The time zone of the times: Europe/Paris.")]
Start = Annotated[str | None, typer.Option(help="Nothing fires before this time.")]
End = Annotated[str | None, typer.Option(help="Nothing fires after this time.")]
Jitter = Annotated[str | None, typer.Option(help="Each fire is late by a part of this: 5m.")]
Missed = Annotated[
    str | None, typer.Option(help="Fires nobody was there for: skip, once (default) or all.")
]
Window = Annotated[str | None, typer.Option(help="With --missed all: how late; 1d by default.")]
Overlap = Annotated[
    str | None,
    typer.Option(help="While the run before is not over: skip (default), queue, cancel or allow."),
]
Conversation = Annotated[
    str | None,
    typer.Option("--thread", help="A new conversation for each fire (default), or one: schedule."),
]
QueueName = Annotated[str | None, typer.Option("--queue", help="The queue its runs go to.")]
FireUsd = Annotated[float | None, typer.Option("--budget-usd", help="US dollars for one fire.")]
FireTokens = Annotated[int | None, typer.Option("--budget-tokens", help="Tokens for one fire.")]
MonthUsd = Annotated[float | None, typer.Option("--month-usd", help="US dollars for a month.")]
Notify = Annotated[
    list[str] | None, typer.Option("--notify", help="A notification to tell; repeatable.")
]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=1_000, help="How many.")]


@schedule_app.command("add")
def schedule_add(
    name: NameArgument,
    text: Input = None,
    agent: ForAgent = None,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    tz: Zone = None,
    start: Start = None,
    end: End = None,
    jitter: Jitter = None,
    missed: Missed = None,
    window: Window = None,
    overlap: Overlap = None,
    thread: Conversation = None,
    user: UserName = None,
    queue: QueueName = None,
    budget_usd: FireUsd = None,
    budget_tokens: FireTokens = None,
    month_usd: MonthUsd = None,
    notify: Notify = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a schedule.

    'treadle schedule simulate' says beforehand what it would do and cost.
    """
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    told = {
        "agent": agent or name,
        "input": text,
        "cron": cron,
        "every": every,
        "at": at,
        "tz": tz,
        "start": start,
        "end": end,
        "jitter": jitter,
        "missed": missed,
        "window": window,
        "overlap": overlap,
        "thread": thread,
        "user": user,
        "queue": queue,
        "budget": {"usd": budget_usd, "tokens": budget_tokens},
        "per_month": {"usd": month_usd},
        "notify": notify or None,
    }
    _schedule.add_schedule(Opening(project, redis), name, told, as_json=as_json)


@schedule_app.command("list")
def schedule_list(project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False) -> None:
    """List the schedules, and where each comes from."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.list_schedules(Opening(project, redis), as_json=as_json)


@schedule_app.command("show")
def schedule_show(
    name: NameArgument,
    count: Count = 10,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a schedule and what became of its latest fires."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.show_schedule(Opening(project, redis), name, count, as_json=as_json)


@schedule_app.command("pause")
def schedule_pause(
    name: NameArgument, project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False
) -> None:
    """Let a schedule rest; what would fire meanwhile is not made up for."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.pause_schedule(Opening(project, redis), name, as_json=as_json)


@schedule_app.command("resume")
def schedule_resume(
    name: NameArgument, project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False
) -> None:
    """Let a schedule fire again, from its next time on."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.resume_schedule(Opening(project, redis), name, as_json=as_json)


@schedule_app.command("run-now")
def schedule_run_now(
    name: NameArgument, project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False
) -> None:
    """Fire a schedule once, beside its plan."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.run_schedule_now(Opening(project, redis), name, as_json=as_json)


@schedule_app.command("rm")
def schedule_rm(
    name: NameArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Also one that stands in a file of the project.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove a schedule and its history; a run that is under way goes on."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.remove_schedule(Opening(project, redis), name, force=force, as_json=as_json)


@schedule_app.command("next")
def schedule_next(
    name: NameArgument,
    count: Count = 10,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say when a schedule fires next."""
    from treadle.cli import _schedule
    from treadle.cli._opening import Opening

    _schedule.print_next(Opening(project, redis), name, count, as_json=as_json)


@schedule_app.command("simulate")
def schedule_simulate(
    name: Annotated[str, typer.Argument(help="A schedule's name; or a new one, with its options.")],
    text: Input = None,
    agent: ForAgent = None,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    tz: Zone = None,
    start: Start = None,
    end: End = None,
    jitter: Jitter = None,
    user: UserName = None,
    budget_usd: FireUsd = None,
    budget_tokens: FireTokens = None,
    month_usd: MonthUsd = None,
    count: Count = 5,
    model: ModelName = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say when a schedule fires, what one fire would do, and what a month would cost.

    The task is gone through once: what reads is done, and models are asked and cost money; what
    would change anything is described instead.
    """
    from treadle.cli import _schedule_simulation
    from treadle.cli._opening import Opening

    told = {
        "agent": agent,
        "input": text,
        "cron": cron,
        "every": every,
        "at": at,
        "tz": tz,
        "start": start,
        "end": end,
        "jitter": jitter,
        "user": user,
        "budget": {"usd": budget_usd, "tokens": budget_tokens},
        "per_month": {"usd": month_usd},
    }
    _schedule_simulation.simulate(
        Opening(project, redis, model), name, told, count, as_json=as_json
    )
