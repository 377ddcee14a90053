"""The commands of ``treadle mcp``."""

from typing import Annotated

import typer

from treadle.cli._options import HERE, AsJson, Project

mcp_app = typer.Typer(
    help="Look at MCP servers, and accept their tools.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@mcp_app.command("list")
def mcp_list(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the servers of the settings, and how they differ from what was accepted.

    Each server is started or reached. Exit code 1 when one cannot be used as it is.
    """
    from treadle.cli import _mcp

    _mcp.list_servers(project, as_json=as_json)


@mcp_app.command("trust")
def mcp_trust(
    server: Annotated[str, typer.Argument(help="The server's name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what a server says of its tools, and accept it: agents get these tools as they are now.

    What was accepted is kept in mcp.lock, which belongs into version control.
    """
    from treadle.cli import _mcp

    _mcp.trust_server(project, server, yes=yes, as_json=as_json)
