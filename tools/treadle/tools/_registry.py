"""Finding tools by name: the shipped ones, and functions of the project's own files."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool

from treadle.core.errors import ConfigError, TreadleError, UnknownNameError
from treadle.core.files import load_object
from treadle.core.plugins import load_plugin, plugin_names, plugin_package
from treadle.core.settings import Settings
from treadle.tools._contract import tool

if TYPE_CHECKING:
    from treadle.tools.mcp import McpServers


@dataclass(frozen=True)
class ToolContext:
    """What tools are made with.

    Attributes:
        project: the project's folder.
        settings: its settings.
        redis: an open ``redis.asyncio`` client (single server or cluster).
        servers: the MCP servers of the runtime, with their open sessions; without them each call
            opens one of its own.
    """

    project: Path
    settings: Settings
    redis: Any
    servers: "McpServers | None" = None


OTHER_NAME = "A function of your own is given another name by @tool(name='...')."
"""What to do about two tools of the same name."""

_SHIPPED = {
    "calculate": "treadle.tools.calculate",
    "current_time": "treadle.tools.current_time",
    "fetch_url": "treadle.tools.fetch_url",
    "list_files": "treadle.tools.files:build_list_files",
    "read_file": "treadle.tools.files:build_read_file",
    "recall_memory": "treadle.tools.memory:build_recall_memory",
    "remember": "treadle.tools.memory:build_remember",
    "run_python": "treadle.tools.run_python",
    "search_documents": "treadle.tools.documents",
    "web_search": "treadle.tools.web_search",
    "wikipedia": "treadle.tools.wikipedia",
    "write_file": "treadle.tools.files:build_write_file",
}
"""The module of each shipped tool, and where it is not ``build(context)``, what makes it there."""


def shipped_tools() -> list[str]:
    """Return the names of the tools that come with Treadle."""
    return sorted(_SHIPPED)


def build_tools(names: Iterable[str], context: ToolContext) -> list[BaseTool]:
    """Make the tools of an agent.

    Args:
        names: names as `build_tool` takes them; ``*`` stands for several tools of an MCP server.
        context: what they are made with.

    Raises:
        UserError: as `build_tool` does.
        ConfigError: two of them have the same name.
    """
    made: dict[str, tuple[str, BaseTool]] = {}
    for name in names:
        from_server = _mcp_tools(name, context)
        for each in from_server or [build_tool(name, context)]:
            # One of a server may be listed by itself and by a pattern as well.
            origin = each.name if from_server else name
            other, _ = made.setdefault(each.name, (origin, each))
            if other != origin:
                raise ConfigError(
                    f"the tools {other!r} and {origin!r} are both named {each.name!r}.",
                    hint=OTHER_NAME,
                )
    return [each for _, each in made.values()]


def _mcp_tools(name: str, context: ToolContext) -> list[BaseTool]:
    """Return the tools of an MCP server that a name stands for; none where it names no server."""
    server, is_apart, _ = name.partition("__")
    if not is_apart or server not in context.settings.mcp:
        return []
    from treadle.tools.mcp import build_mcp_tools  # noqa: PLC0415 - it imports this module

    return build_mcp_tools(name, context)


def build_tool(name: str, context: ToolContext) -> BaseTool:
    """Make the tool of that name.

    Args:
        name: a shipped tool's name, ``path.py:name`` for a function or tool in the project, or
            ``server__tool`` for one of an MCP server.
        context: what it is made with.

    Raises:
        UnknownNameError: no tool has that name.
        ConfigError: the project's file or the package cannot be loaded or holds no such tool.
    """
    if ":" in name:
        return _made_of(load_object(name, context.project), name, context)
    if from_server := _mcp_tools(name, context):
        return from_server[0]
    if name not in _SHIPPED:
        brought = plugin_names("tool")
        if name in brought:
            whose = f"the tool {name!r} of the package {plugin_package('tool', name)}"
            return _made_of(load_plugin("tool", name), whose, context)
        hint = "A tool of your own is named as 'path.py:function'."
        raise UnknownNameError("tool", name, {*_SHIPPED, *brought}, hint=hint)
    module, _, function = _SHIPPED[name].partition(":")
    build: Callable[[ToolContext], BaseTool] = getattr(import_module(module), function or "build")
    return build(context)


def _made_of(found: Any, name: str, context: ToolContext) -> BaseTool:
    if inspect.isfunction(found) and _takes_context(found):
        found = _built(found, name, context)
    if isinstance(found, BaseTool):
        return found
    if not callable(found):
        raise ConfigError(f"{name} is a {type(found).__name__}, not a tool or a function.")
    try:
        return tool(found)
    except ValueError as error:
        raise ConfigError(f"{name} cannot be made a tool: {error}") from error


def _takes_context(function: Callable[..., Any]) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    return len(parameters) == 1 and parameters[0].annotation in (ToolContext, "ToolContext")


def _built(function: Callable[..., Any], name: str, context: ToolContext) -> Any:
    try:
        return function(context)
    except TreadleError:
        raise
    except Exception as error:
        raise ConfigError(f"{name} raised {type(error).__name__}: {error}") from error
