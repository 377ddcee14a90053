"""Tools of MCP servers that the operator configured and accepted.

`McpServers` keeps a session with each server open. What a server says of its tools is pinned in
the project's lock file (`Lock`) and compared before calls; `Changes` says how it differs.
"""

from treadle.tools.mcp._definitions import Definition, Listing, shown_name
from treadle.tools.mcp._failures import Failure, ServerError
from treadle.tools.mcp._lock import LOCK_FILE, Changes, Lock
from treadle.tools.mcp._servers import McpServers, mcp_servers
from treadle.tools.mcp._tools import build_mcp_tools

__all__ = [
    "LOCK_FILE",
    "Changes",
    "Definition",
    "Failure",
    "Listing",
    "Lock",
    "McpServers",
    "ServerError",
    "build_mcp_tools",
    "mcp_servers",
    "shown_name",
]
