"""The commands of ``treadle notifications``."""

from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, Project, RedisUrl

notifications_app = typer.Typer(
    help="See what is told to others, and send again what was not taken.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@notifications_app.command("list")
def notifications_list(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 50,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the messages on their way, and those that were given up."""
    from treadle.cli import _notifications
    from treadle.cli._opening import Opening

    _notifications.list_messages(Opening(project, redis), limit, dead=dead, as_json=as_json)


@notifications_app.command("replay")
def notifications_replay(
    message: Annotated[
        str | None, typer.Argument(help="The message's id; all that were given up without one.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Send messages again that were given up, under the same ids."""
    from treadle.cli import _notifications
    from treadle.cli._opening import Opening

    _notifications.replay_messages(Opening(project, redis), message, as_json=as_json)


@notifications_app.command("test")
def notifications_test(
    name: Annotated[str, typer.Argument(help="The notification's name in treadle.toml.")],
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell somebody of a run that never was, to see whether it arrives."""
    from treadle.cli import _notifications
    from treadle.cli._opening import Opening

    _notifications.send_test(Opening(project, redis), name, as_json=as_json)
