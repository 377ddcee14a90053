"""``treadle tools``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.text import Text

from treadle.cli._console import out, print_json, rows
from treadle.core.errors import TreadleError
from treadle.core.plugins import plugin_names, plugin_package
from treadle.core.settings import Settings, project_folder
from treadle.tools import ToolContext, build_tool, build_tools, shipped_tools
from treadle.tools.mcp import Lock


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    effect: str
    origin: str
    description: str
    error: str = ""


def list_tools(project: Path, *, as_json: bool) -> None:
    """Print every tool that an agent may name; one that cannot be made, with the reason."""
    folder = project_folder(project)
    # Nothing is called, so no Redis is needed.
    context = ToolContext(folder, Settings.load(folder), redis=None)
    tools = list(_tools(context))
    if as_json:
        print_json([asdict(tool) for tool in tools])
        return
    rows(["tool", "effect", "from"], [[t.name, t.effect, t.origin] for t in tools])
    for tool in tools:
        about = Text(f"\n{tool.name}  ", style="bold")
        style = "red" if tool.error else "default"
        out.print(about.append(tool.error or tool.description, style=style), soft_wrap=True)


def _tools(context: ToolContext) -> Iterator[_Listed]:
    shipped = shipped_tools()
    for name in shipped:
        yield from _looked(name, "shipped", context)
    for name in plugin_names("tool"):
        if name not in shipped:
            yield from _looked(name, plugin_package("tool", name), context)
    accepted = Lock.read(context.project).servers
    for server in context.settings.mcp:
        if server in accepted:
            yield from _looked(f"{server}__*", f"the MCP server {server}", context)


def _looked(name: str, origin: str, context: ToolContext) -> Iterator[_Listed]:
    try:
        made = build_tools([name], context) if "*" in name else [build_tool(name, context)]
    except TreadleError as error:
        yield _Listed(name, "", origin, "", str(error))
        return
    for tool in made:
        effect = getattr(tool, "effect", None)
        told = " ".join(tool.description.strip().partition("\n\n")[0].split())
        # One that is not Treadle's says nothing of itself, and so happens once.
        yield _Listed(tool.name, effect.value if effect else "once", origin, told)
