"""What the official SDK is told to serve."""

from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import CallToolResult, Resource, TextContent, Tool, ToolAnnotations
from pydantic import AnyUrl

from treadle.core.errors import TreadleError, UnknownNameError, UserError
from treadle.core.events import Reply
from treadle.runtime import Runtime
from treadle.server.mcp._names import thread_of, uri_of
from treadle.server.security import Ownership, current_principal

if TYPE_CHECKING:
    from treadle.server._serving import Serving

_SHOWN_THREADS = 200
_INPUT = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "description": "What to ask, in words."},
        "thread_id": {
            "type": "string",
            "description": "The conversation to go on with; leave it out to begin one.",
        },
    },
    "required": ["question"],
    "additionalProperties": False,
}


def session_manager(serving: "Serving") -> StreamableHTTPSessionManager:
    """Return what answers requests, each for whoever sends it."""
    server: Server[Any, Any] = Server("treadle", instructions="Each tool asks an agent.")

    def runtime() -> Runtime:
        return serving.runtime_of(current_principal())

    @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]
    async def list_tools() -> list[Tool]:
        rt = runtime()
        names = [name for name in serving.agents if current_principal().may_ask(name)]
        return [_tool(rt, name) for name in names]

    @server.call_tool()  # type: ignore[untyped-decorator]
    async def call_tool(name: str, arguments: dict[str, Any]) -> CallToolResult:
        try:
            return _answered(await _ask(runtime(), name, arguments))
        except TreadleError as error:
            told = TextContent(type="text", text=str(error))
            return CallToolResult(content=[told], isError=True)

    @server.list_resources()  # type: ignore[no-untyped-call, untyped-decorator]
    async def list_resources() -> list[Resource]:
        rt = runtime()
        threads = await rt.threads.recent(_SHOWN_THREADS)
        owners = await rt.threads.owners([thread.id for thread in threads])
        return [
            Resource(
                uri=AnyUrl(uri_of(thread.id)),
                name=thread.title,
                description=f"A conversation with {thread.agent}, {thread.updated}.",
                mimeType="text/markdown",
            )
            for thread, owner in zip(threads, owners, strict=True)
            if current_principal().sees(owner)
        ]

    @server.read_resource()  # type: ignore[no-untyped-call, untyped-decorator]
    async def read_resource(uri: AnyUrl) -> list[ReadResourceContents]:
        rt, thread_id = runtime(), thread_of(str(uri))
        if thread_id is None or not await Ownership(rt).sees(thread_id):
            raise UserError(f"There is no resource {str(uri)!r}.")
        text = "".join([piece async for piece in rt.threads.export_markdown(thread_id)])
        return [ReadResourceContents(content=text, mime_type="text/markdown")]

    return StreamableHTTPSessionManager(server, stateless=True, json_response=False)


def _tool(rt: Runtime, name: str) -> Tool:
    about = rt.agent(name).description or f"Ask the agent {name!r}."
    return Tool(
        name=name,
        description=about,
        inputSchema=_INPUT,
        annotations=ToolAnnotations(title=name, openWorldHint=True),
    )


async def _ask(rt: Runtime, name: str, arguments: dict[str, Any]) -> Reply:
    known = [agent for agent in rt.agents() if current_principal().may_ask(agent)]
    if name not in known:
        raise UnknownNameError("agent", name, known)
    thread_id = arguments.get("thread_id")
    if thread_id is None:
        thread_id = rt.threads.new_id()
    if not await Ownership(rt).begin(thread_id):
        raise UnknownNameError("thread", thread_id, ())
    return await rt.ask(name, arguments["question"], thread=thread_id)


def _answered(reply: Reply) -> CallToolResult:
    sources = [f"[{c.number}] {c.source.title}, {c.source.uri}" for c in reply.citations]
    text = "\n".join([reply.text or reply.stopped, *sources])
    about = {"thread_id": reply.thread_id, "run_id": reply.run_id, "data": reply.data}
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structuredContent=about, isError=False
    )
