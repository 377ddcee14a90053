"""The commands of ``treadle inbox``."""

import getpass
from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, Project, RedisUrl, RunArgument

inbox_app = typer.Typer(
    help="Answer the runs that wait for a person.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@inbox_app.callback()
def inbox(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 20,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the runs that wait for a person, and answer them."""
    if context.invoked_subcommand is not None:
        return
    from treadle.cli import _inbox
    from treadle.cli._opening import Opening

    _inbox.list_waiting(Opening(project, redis), limit, as_json=as_json)


@inbox_app.command("show")
def inbox_show(
    run: RunArgument, project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False
) -> None:
    """Show what a run waits for, in full."""
    from treadle.cli import _inbox
    from treadle.cli._opening import Opening

    _inbox.show_waiting(Opening(project, redis), run, as_json=as_json)


@inbox_app.command("answer")
def inbox_answer(
    run: RunArgument,
    answer: Annotated[
        str,
        typer.Argument(help="'approve' or 'reject' for a call; JSON or text for a question."),
    ],
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why it is refused, in words for the model.")
    ] = "",
    by: Annotated[
        str | None, typer.Option("--by", help="Who answers; your own user name by default.")
    ] = None,
    queued: Annotated[
        bool, typer.Option("--queue", help="Let a worker go on with it, instead of this command.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Answer a run, and go on with it."""
    from treadle.cli import _inbox
    from treadle.cli._opening import Opening

    given = _inbox.Given(answer, reason, by or getpass.getuser(), queued)
    _inbox.answer_waiting(Opening(project, redis), run, given, as_json=as_json)
