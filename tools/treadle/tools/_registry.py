"""Finding tools by name: the shipped ones, and functions of the project's own files."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.files import load_object
from treadle.core.settings import Settings
from treadle.tools._contract import tool


@dataclass(frozen=True)
class ToolContext:
    """What tools are made with.

    Attributes:
        project: the project's folder.
        settings: its settings.
        redis: an open ``redis.asyncio`` client (single server or cluster).
    """

    project: Path
    settings: Settings
    redis: Any


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


def build_tool(name: str, context: ToolContext) -> BaseTool:
    """Make the tool of that name.

    Args:
        name: a shipped tool's name, or ``path.py:name`` for a function or tool in the project.
        context: what it is made with.

    Raises:
        UnknownNameError: no tool has that name.
        ConfigError: the project's file cannot be loaded or holds no such tool.
    """
    if ":" in name:
        return _project_tool(name, context.project)
    if name not in _SHIPPED:
        hint = "A tool of your own is named as 'path.py:function'."
        raise UnknownNameError("tool", name, _SHIPPED, hint=hint)
    module, _, function = _SHIPPED[name].partition(":")
    build: Callable[[ToolContext], BaseTool] = getattr(import_module(module), function or "build")
    return build(context)


def _project_tool(name: str, project: Path) -> BaseTool:
    found = load_object(name, project)
    if isinstance(found, BaseTool):
        return found
    if not callable(found):
        raise ConfigError(f"{name} is a {type(found).__name__}, not a tool or a function.")
    try:
        return tool(found)
    except ValueError as error:
        raise ConfigError(f"{name} cannot be made a tool: {error}") from error
