"""``/mcp``, by the official SDK over streamable HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from treadle.server._problems import problem
from treadle.server.mcp._names import PATH

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from treadle.server._serving import Serving


class McpEndpoint:
    """Answers requests at ``/mcp`` while it is `open`.

    No session is kept: each request says who asks, and any server can answer it. So there is none
    to end, and no stream of what a session tells by itself: those are answered with 405.
    """

    def __init__(self) -> None:
        self._manager: StreamableHTTPSessionManager | None = None

    @property
    def path(self) -> str:
        """Where it is reached; metrics count requests by it."""
        return PATH

    @asynccontextmanager
    async def open(self, serving: "Serving") -> AsyncIterator[None]:
        """Answer requests inside, where the SDK is installed."""
        if find_spec("mcp") is None:
            yield
            return
        from treadle.server.mcp._server import session_manager  # noqa: PLC0415 - it is an extra

        manager = session_manager(serving)
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["route"] = self
        if self._manager is None:
            said = "There is no MCP here: install 'treadle[mcp]' and start the server."
            await problem(404, said)(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)
