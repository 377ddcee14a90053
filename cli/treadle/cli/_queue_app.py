"""The commands of ``treadle queue``."""

from typing import Annotated

import typer

from treadle.cli._options import (
    HERE,
    AgentName,
    AsJson,
    Project,
    RedisUrl,
    RunArgument,
    ThreadId,
    UserName,
)

queue_app = typer.Typer(
    help="Queue runs for workers, and look after them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@queue_app.command("add")
def queue_add(
    question: Annotated[
        str, typer.Argument(help="The question; '-' reads it from standard input.")
    ],
    agent: AgentName = "assistant",
    thread: ThreadId = None,
    user: UserName = None,
    queue: Annotated[str, typer.Option(help="The named queue.")] = "default",
    key: Annotated[
        str | None, typer.Option(help="Names the request; the same key makes one run.")
    ] = None,
    after: Annotated[float, typer.Option(min=0, help="Seconds to wait before it begins.")] = 0,
    multitask: Annotated[
        str,
        typer.Option(help="Where the thread is busy: enqueue, reject, interrupt or rollback."),
    ] = "enqueue",
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Only find out what it would do: effects are described."),
    ] = False,
    is_waited_for: Annotated[
        bool, typer.Option("--wait", help="Wait for its end and print the answer, or the plan.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Queue a question; a worker answers it."""
    from treadle.cli import _queue
    from treadle.cli._opening import Opening

    asked = _queue.Asked(question, agent, thread, user, queue, key, after, multitask, is_dry)
    _queue.add(Opening(project, redis), asked, is_waited_for=is_waited_for, as_json=as_json)


@queue_app.command("status")
def queue_status(project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False) -> None:
    """Show what waits, what is at work, and who works."""
    from treadle.cli import _queue
    from treadle.cli._opening import Opening

    _queue.status(Opening(project, redis), as_json=as_json)


@queue_app.command("dead")
def queue_dead(project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False) -> None:
    """List the runs that were given up, with the reason."""
    from treadle.cli import _queue
    from treadle.cli._opening import Opening

    _queue.dead(Opening(project, redis), as_json=as_json)


@queue_app.command("retry")
def queue_retry(run: RunArgument, project: Project = HERE, redis: RedisUrl = None) -> None:
    """Queue a run again that failed, was stopped or was given up."""
    from treadle.cli import _queue
    from treadle.cli._opening import Opening

    _queue.retry(Opening(project, redis), run)


@queue_app.command("cancel")
def queue_cancel(
    run: RunArgument,
    is_undone: Annotated[
        bool, typer.Option("--rollback", help="Also undo what it did to its thread.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
) -> None:
    """Stop a run, wherever it is."""
    from treadle.cli import _queue
    from treadle.cli._opening import Opening

    _queue.cancel(Opening(project, redis), run, is_undone=is_undone)
