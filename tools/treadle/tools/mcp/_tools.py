"""The tools of MCP servers as tools of Treadle: accepted, named after their server, bounded."""

from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

from langchain_core.tools import BaseTool

from treadle.core.calls import MAYBE_DONE, Effect
from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.mcp import McpServer
from treadle.tools._contract import Tool, explain_arguments
from treadle.tools._registry import ToolContext
from treadle.tools.mcp._content import result_of, text_of
from treadle.tools.mcp._definitions import Definition, shown_name
from treadle.tools.mcp._failures import Failure, ServerError
from treadle.tools.mcp._lock import Lock
from treadle.tools.mcp._servers import McpServers, mcp_servers


def build_mcp_tools(pattern: str, context: ToolContext) -> list[BaseTool]:
    """Make the tools of a server that fit a pattern.

    Args:
        pattern: ``server__tool``, in which ``*`` stands for any characters of the tool's name.
        context: what they are made with.

    Raises:
        ConfigError: the server's tools were never accepted.
        UnknownNameError: no tool that was accepted has that name.
    """
    server = pattern.partition("__")[0]
    settings = context.settings.mcp[server]
    accepted = Lock.read(context.project).servers.get(server)
    if accepted is None:
        raise ConfigError(
            f"the tools of the MCP server {server!r} were not accepted yet.",
            hint=f"Look at them and accept them: treadle mcp trust {server}.",
        )
    by_name = {
        shown_name(server, tool.name): tool
        for tool in accepted.values()
        if settings.permits(tool.name)
    }
    found = [name for name in by_name if fnmatchcase(name, pattern)]
    if not found:
        hint = f"A tool that is new there is accepted with: treadle mcp trust {server}."
        raise UnknownNameError("tool", pattern, by_name, hint=hint)
    return [_tool(name, by_name[name], server, context) for name in sorted(found)]


def _tool(name: str, accepted: Definition, server: str, context: ToolContext) -> Tool:
    settings = context.settings.mcp[server]
    effect = Effect(settings.effect(accepted.name, says_it_reads=accepted.says_it_reads))

    async def call(**arguments: Any) -> Any:
        key = str(arguments.get("idempotency_key") or f"treadle-{uuid4().hex[:20]}")
        if "idempotency_key" not in accepted.schema["properties"]:
            arguments.pop("idempotency_key", None)
        called = _Call(server, accepted, arguments, key, effect)
        if isinstance(context.servers, McpServers):
            return await called.through(context.servers)
        # Outside a runtime nothing keeps sessions open.
        async with mcp_servers(context.settings.mcp, context.project) as servers:
            return await called.through(servers)

    return Tool(
        name=name,
        description=accepted.description or f"The tool {accepted.name} of {server}.",
        args_schema=dict(accepted.schema),
        coroutine=call,
        response_format="content_and_artifact",
        handle_tool_error=str,
        handle_validation_error=explain_arguments,
        effect=effect,
        time_limit=_longest(settings),
    )


class _Call:
    def __init__(
        self,
        server: str,
        tool: Definition,
        arguments: Mapping[str, Any],
        key: str,
        effect: Effect,
    ) -> None:
        self._server = server
        self._tool = tool
        self._arguments = arguments
        self._key = key
        self._effect = effect

    async def through(self, servers: McpServers) -> Any:
        """Make the call; once more after the server died, where that repeats nothing."""
        try:
            result = await self._made(servers)
        except ServerError as error:
            if error.failure is not Failure.DIED or self._effect is Effect.ONCE:
                raise
            result = await self._made(servers)
        if result.is_error:
            told = text_of(result)[:2_000] or "it did not say why"
            raise ServerError(Failure.FAILED, f"{self._server} says that it failed: {told}")
        return result_of(self._server, self._tool.name, self._arguments, result)

    async def _made(self, servers: McpServers) -> Any:
        try:
            return await servers.call(self._server, self._tool, self._arguments, self._key)
        except ServerError as error:
            is_open = error.failure in {Failure.DIED, Failure.HUNG, Failure.TOO_LARGE}
            if is_open and self._effect is not Effect.READ:
                raise ServerError(error.failure, error.message, hint=MAYBE_DONE) from None
            raise


def _longest(settings: McpServer) -> timedelta:
    """How long a call may take: finding the server silent, starting it, and asking it twice."""
    return timedelta(seconds=2 * settings.seconds + 3 * settings.start_seconds + 10)
