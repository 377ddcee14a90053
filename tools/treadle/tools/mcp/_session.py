"""One open connection to an MCP server, and what can go wrong with it."""

import asyncio
import os
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from mcp import Client, MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter

from treadle.core.certificates import distrust
from treadle.core.mcp import McpServer
from treadle.tools.mcp._definitions import Listing, listing_of
from treadle.tools.mcp._failures import Failure, ServerError
from treadle.tools.mcp._http import http_transport
from treadle.tools.mcp._stdio import End, stdio_transport

MAX_TOOLS = 1_000
MAX_PAGES = 50
RECHECK_SECONDS = 300.0
"""How long it may be since a session's tools were listed; servers need not tell of changes."""

_CLOSE_SECONDS = 10.0
_RESULT: TypeAdapter[Any] = TypeAdapter(CallToolResult | InputRequiredResult)
T = TypeVar("T")


class Session:
    """A connection that one task opens, keeps and closes; any task of its loop may use it.

    Args:
        name: the server's name.
        server: how it is reached.
        project: where its ``cwd`` begins.
    """

    def __init__(self, name: str, server: McpServer, project: Path) -> None:
        self.name = name
        self._server = server
        self._project = project
        self._end = End()
        self._loop = asyncio.get_running_loop()
        self._client: asyncio.Future[Client] = self._loop.create_future()
        self._closing = asyncio.Event()
        self._listed_at: float | None = None
        self._listing = Listing()
        self._task = asyncio.create_task(self._live(), name=f"mcp {name}")

    @property
    def is_over(self) -> bool:
        """Whether no call can be made any more."""
        is_dead_program = bool(self._server.command and self._end.reason)
        return self._task.done() or self._closing.is_set() or is_dead_program

    async def opened(self) -> None:
        """Wait until it is open.

        Raises:
            ServerError: the server cannot be reached or does not answer as one.
        """
        seconds = self._server.start_seconds
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._client)
        except TimeoutError:
            await self.close()
            raise ServerError(
                Failure.UNREACHABLE, f"{self.name} did not start within {seconds:g} seconds."
            ) from None

    async def listing(self) -> Listing:
        """Return the server's tools, as it lists them now or did a short time ago.

        Raises:
            ServerError: it does not list them, or too many.
        """
        now = self._loop.time()
        if self._listed_at is None or now - self._listed_at > RECHECK_SECONDS:
            tools = await self._answer(self._list(), self._server.start_seconds)
            self._listing, self._listed_at = listing_of(tools), now
        return self._listing

    async def call(self, tool: str, arguments: Mapping[str, Any], key: str) -> CallToolResult:
        """Call a tool.

        Args:
            tool: its name at the server.
            arguments: its arguments by name.
            key: is sent along, and is the same when the call is repeated.

        Raises:
            ServerError: there is no result.
        """
        client = self._client.result()
        meta: Any = {"treadle/idempotency-key": key}
        params = CallToolRequestParams(name=tool, arguments=dict(arguments), _meta=meta)
        # Not the client's own `call_tool`: it runs the patterns of the server's output schema,
        # which may take for ever.
        asked = client.session.send_request(CallToolRequest(params=params), _RESULT)
        result = await self._answer(asked, self._server.seconds)
        if not isinstance(result, CallToolResult):
            raise ServerError(
                Failure.REFUSED, f"{self.name} asks for input that nobody can give here."
            )
        return result

    async def close(self) -> None:
        """Close it; a program is ended."""
        self._closing.set()
        if not self._client.done():  # It is still opening, which does not look whether it should.
            self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)

    async def _live(self) -> None:
        error: BaseException = ServerError(Failure.UNREACHABLE, f"{self.name} was closed.")
        try:
            info = Implementation(name="treadle", version=version("treadle"))
            opening = Client(
                self._transport(), client_info=info, message_handler=self._notice, cache=None
            )
            async with opening as client:
                self._client.set_result(client)
                await self._closing.wait()
        except Exception as raised:
            error = _innermost(raised)
            if self._client.done():
                self._end.reason = self._end.reason or f"broke off: {error}".rstrip(".")
        finally:
            if not self._client.done():
                self._client.set_exception(self._unreachable(error))
                self._client.exception()  # Nobody may be waiting for it.

    def _transport(self) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        server = self._server
        if server.url:
            headers = {name: self._variable(env) for name, env in server.headers_env.items()}
            return http_transport(server.url, headers, server.max_bytes, self._end)
        environment = {name: self._variable(name) for name in server.env}
        folder = self._project / (server.cwd or "")
        return stdio_transport(server.command, folder, environment, server.max_bytes, self._end)

    def _variable(self, name: str) -> str:
        if name not in os.environ:
            raise ServerError(
                Failure.UNREACHABLE,
                f"{self.name} needs the environment variable {name}, which is not set.",
            )
        return os.environ[name]

    def _unreachable(self, error: BaseException) -> ServerError:
        if isinstance(error, ServerError):
            return error
        if isinstance(error, FileNotFoundError):
            return ServerError(
                Failure.UNREACHABLE,
                f"{self.name} cannot be started: there is no {error.filename!r}.",
            )
        if self._end.reason:
            return ServerError(Failure.UNREACHABLE, f"{self.name} {self._end.reason}.")
        if (certificate := distrust(error)) is not None:
            said = f"{self.name} {certificate.problem}. {certificate.hint}".rstrip()
            return ServerError(Failure.UNREACHABLE, said)
        told = str(error).rstrip(".") or type(error).__name__
        return ServerError(Failure.UNREACHABLE, f"{self.name} cannot be reached: {told}.")

    async def _notice(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._listed_at = None

    async def _list(self) -> list[Any]:
        session = self._client.result().session
        tools: list[Any] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = PaginatedRequestParams(cursor=cursor) if cursor else None
            page = await session.list_tools(params=params)
            tools += page.tools
            if len(tools) > MAX_TOOLS:
                break
            if page.next_cursor is None:
                return tools
            cursor = page.next_cursor
        raise ServerError(
            Failure.TOO_LARGE,
            f"{self.name} lists over {MAX_TOOLS:,} tools, or over {MAX_PAGES} pages of them.",
        )

    async def _answer(self, asked: Awaitable[T], seconds: float) -> T:
        """Wait for an answer, as long as the connection lives and for so long at most."""
        asking = asyncio.ensure_future(asked)
        try:
            await asyncio.wait(
                [asking, self._task], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if asking.done():
                return asking.result()
        except Exception as error:
            raise await self._failure(error) from None
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        if self._task.done():
            raise await self._failure(None)
        self._listed_at = None  # Before the next call it is to show that it lives.
        raise ServerError(Failure.HUNG, f"{self.name} gave no answer within {seconds:g} seconds.")

    async def _failure(self, error: Exception | None) -> ServerError:
        """Say what an error of the SDK means; without one the connection is over."""
        if isinstance(error, ServerError):
            return error
        if isinstance(error, MCPError) and error.message == "Session terminated":
            self._closing.set()  # The server answered that it knows no such session.
            return ServerError(Failure.UNREACHABLE, f"{self.name} ended the session.")
        is_lost = error is None or _is_lost(error)
        if is_lost and not self._end.reason:
            with suppress(TimeoutError):  # What ended it may be known in a moment.
                await asyncio.wait_for(asyncio.shield(self._task), 0.5)
        reason, is_too_large = self._end.reason, self._end.is_too_large
        if self._server.url:  # Its next answer may be another.
            self._end.reason, self._end.is_too_large = "", False
        if is_too_large:
            most = f"at most {self._server.max_bytes / 1e6:g} MB are read"
            return ServerError(Failure.TOO_LARGE, f"{self.name} {reason}: {most}.")
        told = str(error.message if isinstance(error, MCPError) else error).strip()[:500]
        told = told.rstrip(".") or type(error).__name__
        if is_lost or self.is_over:
            self._closing.set()
            why = reason or (f"broke off: {told}" if error else "closed the connection")
            return ServerError(Failure.DIED, f"{self.name} {why}.")
        if isinstance(error, MCPError):
            why = f"{told} ({reason})" if reason else told
            return ServerError(Failure.REFUSED, f"{self.name} refuses: {why}.")
        return ServerError(
            Failure.FAILED, f"{self.name} sent what is no answer: {told.splitlines()[0]}."
        )


def _is_lost(error: Exception) -> bool:
    """Tell the SDK's own word for a lost connection from a server's error of the same code."""
    return (
        isinstance(error, MCPError)
        and error.code == CONNECTION_CLOSED
        and error.message.startswith(("Connection closed", "SSE stream"))
    )


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
