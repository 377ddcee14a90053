"""The commands of ``treadle approvals``."""

import getpass
from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, Project, RedisUrl

approvals_app = typer.Typer(
    help="Answer the agents that ask before they act.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ApprovalArgument = Annotated[str, typer.Argument(help="The approval's id.")]
By = Annotated[str | None, typer.Option("--by", help="Who answers; your own user name by default.")]
NoResume = Annotated[
    bool, typer.Option("--no-resume", help="Only keep the answer; do not go on with the run.")
]


@approvals_app.command("list")
def approvals_list(
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many, the longest waiting first.")
    ] = 20,
    thread: Annotated[
        str | None, typer.Option("--thread", "-t", help="Only those of this conversation.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", "-a", help="Only those of this agent.")
    ] = None,
    tool: Annotated[
        str | None, typer.Option("--tool", help="Only those of tools like this, such as 'send_*'.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", help="Only those asked after this approval.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the calls that wait for an answer."""
    from treadle.cli import _approvals
    from treadle.cli._opening import Opening

    _approvals.list_approvals(
        Opening(project, redis),
        limit,
        as_json=as_json,
        thread=thread,
        agent=agent,
        tool=tool,
        after=after,
    )


@approvals_app.command("show")
def approvals_show(
    approval: ApprovalArgument,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a call that waits, or waited, with its exact arguments."""
    from treadle.cli import _approvals
    from treadle.cli._opening import Opening

    _approvals.show_approval(Opening(project, redis), approval, as_json=as_json)


@approvals_app.command("approve")
def approvals_approve(
    approval: ApprovalArgument,
    by: By = None,
    no_resume: NoResume = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let the call be made as it was asked for, and go on with its run."""
    from treadle.cli import _approvals
    from treadle.cli._opening import Opening

    who = by or getpass.getuser()
    answer = _approvals.approving(approval, by=who)
    _approvals.answer(Opening(project, redis), answer, resume=not no_resume, as_json=as_json)


@approvals_app.command("edit")
def approvals_edit(
    approval: ApprovalArgument,
    arguments: Annotated[
        str, typer.Argument(help="All the arguments as a JSON object; '-' reads standard input.")
    ],
    by: By = None,
    no_resume: NoResume = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let the call be made with other arguments, and go on with its run."""
    from treadle.cli import _approvals
    from treadle.cli._opening import Opening

    who = by or getpass.getuser()
    answer = _approvals.editing(approval, arguments, by=who)
    _approvals.answer(Opening(project, redis), answer, resume=not no_resume, as_json=as_json)


@approvals_app.command("reject")
def approvals_reject(
    approval: ApprovalArgument,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why, in words for the model.")
    ] = "",
    by: By = None,
    no_resume: NoResume = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Refuse the call, and go on with its run; the model is told the reason."""
    from treadle.cli import _approvals
    from treadle.cli._opening import Opening

    who = by or getpass.getuser()
    answer = _approvals.rejecting(approval, reason, by=who)
    _approvals.answer(Opening(project, redis), answer, resume=not no_resume, as_json=as_json)
