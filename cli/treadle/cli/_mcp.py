"""``treadle mcp``."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import typer
from rich.text import Text

from treadle.cli._console import confirmed, counted, err, out, print_json
from treadle.cli._safe import one_line, visible
from treadle.core.mcp import McpServer
from treadle.core.settings import Settings, project_folder
from treadle.tools.mcp import (
    LOCK_FILE,
    Changes,
    Definition,
    Listing,
    Lock,
    McpServers,
    ServerError,
    mcp_servers,
    shown_name,
)

T = TypeVar("T")

_MARKS = {"accepted": ("✓", "green"), "changed": ("✗", "red"), "new": ("·", "yellow")}


@dataclass(frozen=True)
class _Found:
    server: str
    state: str
    tools: tuple[str, ...] = ()
    changes: Changes = field(default_factory=Changes)
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return self.error
        parts = [counted(len(self.tools), "tool"), self.state]
        told = asdict(self.changes).items()
        return "; ".join(
            [*parts, *(f"{what}: {', '.join(names)}" for what, names in told if names)]
        )


def list_servers(project: Path, *, as_json: bool) -> None:
    """Print each server and its state; leave with 1 when one cannot be used as it is."""
    folder = project_folder(project)
    servers = Settings.load(folder).mcp
    if not servers and not as_json:
        said = "No MCP server is configured. A server is a table [mcp.NAME] in treadle.toml."
        err.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)
        return
    lock = Lock.read(folder)
    found = _with(servers, folder, lambda open_: _look_all(open_, servers, lock))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        _print(found)
    if any(each.state != "accepted" for each in found):
        raise typer.Exit(1)


def _print(found: Iterable[_Found]) -> None:
    for each in found:
        mark, style = _MARKS.get(each.state, ("✗", "red"))
        line = Text(f"{mark} ", style=style).append(f"{each.server:<16}", style="bold")
        out.print(line.append(f" {visible(str(each))}", style="default"), soft_wrap=True)


def trust_server(project: Path, server: str, *, yes: bool, as_json: bool) -> None:
    """Show a server's tools with what is new about them, and keep them once that is confirmed."""
    folder = project_folder(project)
    settings = Settings.load(folder)
    listing = _with(settings.mcp, folder, lambda open_: open_.listing(server))
    lock = Lock.read(folder)
    accepted = lock.servers.get(server, {})
    changes = Changes.between(accepted, listing.tools)
    if not as_json:
        _show(server, settings.mcp[server], listing, changes, accepted)
    is_known = server in lock.servers and not changes
    if not is_known:
        if not yes and not confirmed("Let agents use these tools?"):
            raise typer.Exit(1)
        lock.accept(server, listing.tools)
    if as_json:
        tools = [tool.to_dict() for tool in listing.tools.values()]
        print_json({"server": server, "tools": tools, "changes": asdict(changes)})
    else:
        did = "Nothing changed" if is_known else f"Wrote {LOCK_FILE}"
        err.print(f"{did}. Agents name the tools: {shown_name(server, '')}*", style="dim")


def _show(
    server: str,
    settings: McpServer,
    listing: Listing,
    changes: Changes,
    before: Mapping[str, Definition],
) -> None:
    for name, tool in listing.tools.items():
        is_new, is_changed = name in changes.added, name in changes.changed
        state = "new" if is_new else "changed" if is_changed else "accepted"
        mark, style = _MARKS[state]
        effect = settings.effect(name, says_it_reads=tool.says_it_reads)
        line = Text(f"{mark} ", style=style).append(shown_name(server, name), style="bold")
        out.print(line.append(f"  {effect}, {state}", style="dim"), soft_wrap=True)
        if is_changed:
            _say("- ", before[name].description, before[name])
            _say("+ ", tool.description, tool)
        elif is_new:
            _say("  ", tool.description, tool)
    for name in changes.removed:
        out.print(Text(f"- {visible(name)} is gone"), soft_wrap=True)
    for name, reason in listing.left_out.items():
        out.print(Text(f"! {visible(name)} is left out: {reason}", style="yellow"), soft_wrap=True)


def _say(mark: str, description: str, tool: Definition) -> None:
    """Print all of a description: what is cut could hide what matters."""
    for line in visible(description).splitlines():
        out.print(Text(f"    {mark}{line}", style="default"), soft_wrap=True)
    schema = one_line(str(dict(tool.schema)), 2_000)
    out.print(Text(f"    {mark}{schema}", style="dim"), soft_wrap=True)


async def _look_all(open_: McpServers, servers: Iterable[str], lock: Lock) -> list[_Found]:
    return list(await asyncio.gather(*(_look(open_, name, lock) for name in servers)))


async def _look(open_: McpServers, name: str, lock: Lock) -> _Found:
    try:
        listing = await open_.listing(name)
    except ServerError as error:
        return _Found(name, error.failure, error=str(error))
    tools = tuple(shown_name(name, tool) for tool in listing.tools)
    if name not in lock.servers:
        return _Found(name, "new", tools)
    changes = Changes.between(lock.servers[name], listing.tools)
    return _Found(name, "changed" if changes else "accepted", tools, changes)


def _with(
    servers: Mapping[str, McpServer], folder: Path, work: Callable[[McpServers], Awaitable[T]]
) -> T:
    async def within() -> T:
        async with mcp_servers(servers, folder) as opened:
            return await work(opened)

    return asyncio.run(within())
