"""``treadle keys``: the commands and their arguments."""

from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, Project, RedisUrl

keys_app = typer.Typer(
    help="Make, list and revoke the keys that the server asks for.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        str, typer.Option(help="read; run: ask agents as well; admin: everything of the tenant.")
    ] = "run",
    agent: Annotated[
        list[str] | None, typer.Option("--agent", "-a", help="Only this agent; may be repeated.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose data it reaches; the project's tenant by default.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Whose threads it makes; keys of one subject share them."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=36_500, help="How long it is taken.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, help="How many requests are answered in a minute.")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="How many requests may run something at once.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once."""
    from treadle.cli import _keys
    from treadle.cli._opening import Opening

    wanted = _keys.Wanted(name, scope, agent, tenant, subject, days, per_minute, at_once)
    _keys.create_key(Opening(project, redis), wanted, as_json=as_json)


@keys_app.command("list")
def keys_list(project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False) -> None:
    """List the keys; none of them can be shown again."""
    from treadle.cli import _keys
    from treadle.cli._opening import Opening

    _keys.list_keys(Opening(project, redis), as_json=as_json)


@keys_app.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as 'treadle keys list' shows it.")],
    project: Project = HERE,
    redis: RedisUrl = None,
) -> None:
    """Take a key's right away, at once and on every server."""
    from treadle.cli import _keys
    from treadle.cli._opening import Opening

    _keys.revoke_key(Opening(project, redis), key)
