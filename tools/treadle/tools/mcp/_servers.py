"""The MCP servers of a runtime: one session with each, kept open, opened again after its death."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.mcp import McpServer
from treadle.tools.mcp._definitions import Definition, Listing
from treadle.tools.mcp._failures import Failure, ServerError

T = TypeVar("T")

_AGAIN = {Failure.DIED, Failure.UNREACHABLE}


class McpServers:
    """The servers that the operator configured; close it with the runtime.

    A server is reached when one of its tools is first called. All calls share one session, which
    belongs to the event loop that called first; calls from other loops are handed to it.

    Args:
        servers: the servers by name.
        project: the project's folder.
    """

    def __init__(self, servers: Mapping[str, McpServer], project: Path) -> None:
        self._servers = servers
        self._project = project
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: dict[str, asyncio.Lock] = {}
        self._sessions: dict[str, Any] = {}

    async def listing(self, server: str) -> Listing:
        """Return the tools of a server that agents may use, as it lists them now.

        Raises:
            UnknownNameError: no server has that name.
            ServerError: it cannot be reached, or does not list its tools.
        """
        settings = self._settings(server)
        listing: Listing = await self._here(lambda: self._list(server))
        used = {name: tool for name, tool in listing.tools.items() if settings.permits(name)}
        return Listing(used, listing.left_out)

    async def call(
        self, server: str, accepted: Definition, arguments: Mapping[str, Any], key: str
    ) -> Any:
        """Call a tool, unless it is not any more what was accepted.

        Args:
            server: the server's name.
            accepted: the tool.
            arguments: its arguments by name.
            key: is sent along, and is the same when the call is repeated.

        Returns:
            The SDK's ``CallToolResult``.

        Raises:
            ServerError: there is no result.
        """
        return await self._here(lambda: self._call(server, accepted, arguments, key))

    async def aclose(self) -> None:
        """Close every session."""
        sessions, self._sessions = list(self._sessions.values()), {}
        if sessions:
            await self._here(lambda: _close_all(sessions))

    async def _call(
        self, server: str, accepted: Definition, arguments: Mapping[str, Any], key: str
    ) -> Any:
        session = await self._ready(server)
        listed = (await session.listing()).tools.get(accepted.name)
        if listed != accepted:
            told = f"{server} does not list {accepted.name} any more."
            if listed:
                told = f"{server} changed what {accepted.name} is since it was accepted."
            hint = f"The operator can look at it and accept it: treadle mcp trust {server}."
            raise ServerError(Failure.CHANGED, told, hint=hint)
        try:
            return await session.call(accepted.name, arguments, key)
        except ServerError as error:
            if error.failure is not Failure.UNREACHABLE:
                raise
        session = await self._ready(server)  # Nothing was called yet: the session was gone.
        return await session.call(accepted.name, arguments, key)

    async def _list(self, server: str) -> Listing:
        listing: Listing = await (await self._ready(server)).listing()
        return listing

    async def _ready(self, server: str) -> Any:
        """Return a session that has shown that it lives; a dead or silent one is replaced."""
        async with self._opening.setdefault(server, asyncio.Lock()):
            session = self._sessions.get(server)
            if session is not None:
                try:
                    if not session.is_over:
                        await session.listing()
                        return session
                except ServerError as error:
                    if error.failure not in {*_AGAIN, Failure.HUNG, Failure.REFUSED}:
                        raise
                del self._sessions[server]
                await session.close()
            session = sdk_session(server, self._settings(server), self._project)
            try:
                await session.opened()
                await session.listing()
            except BaseException:
                await session.close()
                raise
            self._sessions[server] = session
            return session

    def _settings(self, server: str) -> McpServer:
        if server not in self._servers:
            hint = f"A server is a table [mcp.{server}] in treadle.toml."
            raise UnknownNameError("MCP server", server, self._servers, hint=hint)
        return self._servers[server]

    async def _here(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work on the loop the sessions belong to."""
        running = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop, self._opening, self._sessions = running, {}, {}
        if self._loop is running:
            return await work()

        async def there() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), self._loop))


@asynccontextmanager
async def mcp_servers(
    servers: Mapping[str, McpServer], project: Path
) -> AsyncGenerator[McpServers, None]:
    """Give the servers of a project; their sessions are closed at the end."""
    opened = McpServers(servers, project)
    try:
        yield opened
    finally:
        await opened.aclose()


def sdk_session(server: str, settings: McpServer, project: Path) -> Any:
    """Begin a session; only now is the MCP SDK loaded.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        module = import_module("treadle.tools.mcp._session")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("mcp"):
            raise
        raise ConfigError(
            "MCP servers need the MCP SDK.", hint="Install it: pip install 'treadle[mcp]'."
        ) from None
    return module.Session(server, settings, project)


async def _close_all(sessions: list[Any]) -> None:
    await asyncio.gather(*(session.close() for session in sessions))
