"""The Model Context Protocol at ``/mcp``: each agent is a tool, the caller's threads are resources.

It needs the extra ``mcp``; without it there is no ``/mcp``.
"""

from treadle.server.mcp._endpoint import McpEndpoint

__all__ = ["McpEndpoint"]
