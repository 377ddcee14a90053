"""The tools an agent calls, and what a tool declares about itself.

Make one of a function with `tool`; `build` makes the shipped ones and a project's own by name.
"""

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.core.sources import Passage, Source
from treadle.tools._contract import Tool, ToolResult, tool

__all__ = [
    "Effect",
    "IdempotencyKey",
    "Passage",
    "Source",
    "Tool",
    "ToolError",
    "ToolResult",
    "tool",
]
