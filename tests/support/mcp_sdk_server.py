"""A server made with the official SDK; run as a script it speaks over stdio."""

import asyncio

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("Sums", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def divide(a: float, b: float) -> float:
    """Divide one number by another."""
    return a / b


@server.tool(name="files/read")
def read(path: str) -> str:
    """Read a file of the server."""
    return f"The content of {path}."


@server.tool()
async def slow(context: Context, seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "Done."


if __name__ == "__main__":
    server.run("stdio")
