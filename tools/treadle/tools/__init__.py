"""The tools an agent calls, and what a tool declares about itself.

Make one of a function with `tool`; `build_tool` makes the shipped ones and a project's own by name.
"""

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.core.sources import Passage, Source
from treadle.tools._client import CLIENT_CALL, client_tool
from treadle.tools._contract import Found, Tool, ToolResult, tool
from treadle.tools._read_more import read_more_tool
from treadle.tools._registry import OTHER_NAME, ToolContext, build_tool, build_tools, shipped_tools

__all__ = [
    "CLIENT_CALL",
    "OTHER_NAME",
    "Effect",
    "Found",
    "Passage",
    "Source",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolResult",
    "build_tool",
    "build_tools",
    "client_tool",
    "read_more_tool",
    "shipped_tools",
    "tool",
]
