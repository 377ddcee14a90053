"""What the official SDK is told to serve."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from treadle.core.errors import InputError, TreadleError, UnknownNameError
from treadle.core.events import Reply
from treadle.core.shareable import shareable
from treadle.runtime import Runtime
from treadle.runtime.questions import answered
from treadle.server._waiting import Asked as Waiting
from treadle.server._waiting import asked_on, told
from treadle.server.mcp._names import thread_of, uri_of
from treadle.server.security import Ownership, current_principal

if TYPE_CHECKING:
    from treadle.server._serving import Serving

_SHOWN_THREADS = 200
_MARKDOWN = "text/markdown"
_Context = ServerRequestContext[Any]


class Asked(BaseModel):
    """What an agent is asked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Annotated[str, Field(description="What to ask, in words.")]
    thread_id: Annotated[
        str | None,
        Field(
            description="The conversation to go on with; leave it out to begin one. Where the "
            "agent asked something there, the question is the answer."
        ),
    ] = None


def session_manager(serving: "Serving") -> StreamableHTTPSessionManager:
    """Return what answers requests, each for whoever sends it."""

    def runtime() -> Runtime:
        return serving.runtime_of(current_principal())

    async def list_tools(_: _Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        rt = runtime()
        names = current_principal().askable(serving.talking(serving.agents))
        return ListToolsResult(tools=[_tool(rt, name) for name in names])

    async def call_tool(_: _Context, params: CallToolRequestParams) -> CallToolResult:
        try:
            rt = runtime()
            served = serving.agent_to_talk_with(rt, params.name)
            reply = await _ask(rt, served.name, params.arguments or {})
            waiting = await rt.runs.interrupts(reply.run_id) if reply.is_question else []
            return _answered(reply, waiting)
        except TreadleError as error:
            told = TextContent(type="text", text=shareable(str(error)))
            return CallToolResult(content=[told], is_error=True)

    async def list_resources(_: _Context, __: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=await _threads(runtime()))

    async def read_resource(_: _Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        text = await _exported(runtime(), params.uri)
        held = TextResourceContents(uri=params.uri, mime_type=_MARKDOWN, text=text)
        return ReadResourceResult(contents=[held])

    server: Server[Any] = Server(
        "treadle",
        version=version("treadle"),
        instructions="Each tool asks an agent; each resource is a conversation.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )
    limit = serving.runtime.settings.server.max_body_bytes
    return StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=limit)


def _tool(rt: Runtime, name: str) -> Tool:
    return Tool(
        name=name,
        description=rt.agent(name).description or f"Ask the agent {name!r}.",
        input_schema=Asked.model_json_schema(),
        annotations=ToolAnnotations(title=name, open_world_hint=True),
    )


async def _ask(rt: Runtime, name: str, arguments: dict[str, Any]) -> Reply:
    try:
        asked = Asked.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{place}: {first['msg']}.") from None
    thread_id = asked.thread_id or rt.threads.new_id()
    if not await Ownership(rt).begin(thread_id):
        raise UnknownNameError("thread", thread_id, None)
    found = await asked_on(rt, thread_id, name) if asked.thread_id else None
    if found is None:
        return await rt.ask(name, asked.question, thread=thread_id)
    run, waiting = found
    return await rt.resume(run.id, answered(waiting, asked.question))


def _answered(reply: Reply, waiting: Waiting) -> CallToolResult:
    sources = [f"[{c.number}] {c.source.title}, {c.source.uri}" for c in reply.citations]
    text = "\n".join([reply.text or reply.stopped, *sources])
    if waiting:
        how = f"call again with the thread_id '{reply.thread_id}' and the answer as the question"
        text = "\n\n".join(part for part in (reply.text, told(reply.run_id, waiting, how)) if part)
    about = {
        "thread_id": reply.thread_id,
        "run_id": reply.run_id,
        "data": reply.data,
        "waits_for": [dict(one) for one in waiting],
    }
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=about)


async def _threads(rt: Runtime) -> list[Resource]:
    threads = await rt.threads.recent(_SHOWN_THREADS)
    owners = await rt.threads.owners([thread.id for thread in threads])
    return [
        Resource(
            uri=uri_of(thread.id),
            name=thread.title,
            description=f"A conversation with {thread.agent}, {thread.updated}.",
            mime_type=_MARKDOWN,
        )
        for thread, owner in zip(threads, owners, strict=True)
        if current_principal().sees(owner)
    ]


async def _exported(rt: Runtime, uri: str) -> str:
    thread_id = thread_of(uri)
    try:
        if thread_id is not None and await Ownership(rt).sees(thread_id):
            return "".join([piece async for piece in rt.threads.export_markdown(thread_id)])
    except UnknownNameError:
        pass  # Its message would name other threads.
    raise MCPError(INVALID_PARAMS, f"There is no resource {uri!r}.")
