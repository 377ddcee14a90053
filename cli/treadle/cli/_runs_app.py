"""The commands of ``treadle runs``."""

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, ModelName, Project, RedisUrl, RunArgument

runs_app = typer.Typer(
    help="Look into runs, go on with them, and try them again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RunSource = Annotated[
    str, typer.Argument(help="The run's id, or its beginning, or an exported file.")
]


@runs_app.command("list")
def runs_list(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    thread: Annotated[
        str | None, typer.Option("--thread", "-t", help="Only those of this conversation.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those that stand there, such as 'interrupted'.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.list_runs(Opening(project, redis), limit, thread, status, as_json=as_json)


@runs_app.command("show")
def runs_show(
    run: RunArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what was read from memory too, and cut nothing.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the calls of a run, what it waits for, and how it ended."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.show_run(Opening(project, redis), run, everything=everything, as_json=as_json)


@runs_app.command("plan")
def runs_plan(
    run: RunArgument, project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False
) -> None:
    """Show what a dry run found: what it read, what it would do, and what that would cost."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.show_plan(Opening(project, redis), run, as_json=as_json)


@runs_app.command("resume")
def runs_resume(
    run: RunArgument,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer", help="JSON or text; ID=ANSWER where the run waits for several. Repeatable."
        ),
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that waits, failed, was stopped or died.

    What it finished is not done again.
    """
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.resume_run(Opening(project, redis), run, answers or [], as_json=as_json)


@runs_app.command("replay")
def runs_replay(
    run: RunSource,
    current: Annotated[
        bool, typer.Option("--current", help="With the agent as it is now, not as recorded.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Execute a run again from its journal alone, and compare.

    Nothing is called. Exit code 1 and the first difference when it goes another way.
    """
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.replay_run(Opening(project, redis), run, current=current, as_json=as_json)


@runs_app.command("fork")
def runs_fork(
    run: RunSource,
    question: Annotated[str | None, typer.Option(help="Ask this instead.")] = None,
    prompt: Annotated[str | None, typer.Option(help="The agent's instructions instead.")] = None,
    model: ModelName = None,
    agent: Annotated[
        str | None, typer.Option("--agent", "-a", help="This agent, as it is now.")
    ] = None,
    at: Annotated[
        int | None, typer.Option(min=1, help="Make every call anew from this number on.")
    ] = None,
    outcomes: Annotated[
        list[str] | None,
        typer.Option("--outcome", help="NUMBER=TEXT in place of what a call returned. Repeatable."),
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Repeat a run with something changed, on a thread of its own.

    What did not change is not called or paid again. 'treadle runs show' numbers the calls.
    """
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.fork_run(
        Opening(project, redis),
        run,
        question=question,
        prompt=prompt,
        agent=agent,
        model=model,
        at=at,
        outcomes=outcomes or [],
        as_json=as_json,
    )


@runs_app.command("diff")
def runs_diff(
    left: RunArgument,
    right: RunArgument,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say where one run differs from another; exit code 1 when it does."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.diff_runs(Opening(project, redis), left, right, as_json=as_json)


@runs_app.command("export")
def runs_export(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; RUN.journal.jsonl without one.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's journal to a file that replays anywhere."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.export_run(Opening(project, redis), run, output, as_json=as_json)


@runs_app.command("import")
def runs_import(
    file: Annotated[Path, typer.Argument(help="A journal that was exported.")],
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Keep a journal that was exported elsewhere, under the same id."""
    from treadle.cli import _runs
    from treadle.cli._opening import Opening

    _runs.import_run(Opening(project, redis), file, as_json=as_json)
