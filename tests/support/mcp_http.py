"""MCP over HTTP on loopback: the SDK's server, and one that misbehaves."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.support.mcp_sdk_server import server
from tests.support.waiting import eventually


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application; yields its address, without a slash at the end."""
    running = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", ws="none"))
    task = asyncio.create_task(running.serve())
    try:
        await eventually(lambda: running.started)
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.should_exit = True
        await task


@asynccontextmanager
async def sdk_server() -> AsyncIterator[str]:
    """Serve the SDK's own server; yields its address."""
    async with served(server.streamable_http_app()) as url:
        yield f"{url}/mcp"


class Hostile:
    """An ASGI application that answers a call as the tool's name says.

    Attributes:
        requests: the method of each message, and the headers it came with.
        elsewhere: where ``redirect`` leads.
        status: instead of answering at all.
    """

    TOOLS = ("echo", "flood", "stream", "gzip", "redirect", "error", "drip", "cut", "html")

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.elsewhere = ""
        self.status = 0
        self.session = "1"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = json.loads(body or "{}")
        self.requests.append((asked.get("method", scope["method"]), headers))
        answer = _Answer(send, asked.get("id"))
        if self.status:
            await answer.whole(b"no", status=self.status, content_type="text/plain")
        elif headers.get("mcp-session-id", self.session) != self.session:
            await answer.whole(b"", status=404, content_type="text/plain")
        else:
            await self._answer(asked, answer)

    async def _answer(self, asked: dict[str, Any], answer: "_Answer") -> None:
        match asked.get("method"):
            case "initialize":
                info = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
                await answer.result(
                    {**info, "serverInfo": {"name": "h", "version": "1"}}, self.session
                )
            case "tools/list":
                schema = {"type": "object", "properties": {}}
                await answer.result(
                    {"tools": [{"name": name, "inputSchema": schema} for name in self.TOOLS]}
                )
            case "tools/call" if asked["params"]["name"] == "redirect":
                await answer.whole(b"", status=307, location=self.elsewhere)
            case "tools/call" if asked["params"]["name"] != "echo":
                await getattr(answer, asked["params"]["name"])()
            case "tools/call":
                await answer.result({"content": [{"type": "text", "text": "hi"}]})
            case None:
                await answer.whole(b"", status=405)
            case _ if "id" in asked:
                error = {"code": -32601, "message": "Method not found"}
                text = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error})
                await answer.whole(text.encode(), status=404)
            case _:
                await answer.whole(b"", status=202)


class _Answer:
    def __init__(self, send: Any, request_id: Any) -> None:
        self._send = send
        self._id = request_id

    async def start(self, status: int, content_type: str, **headers: str) -> None:
        pairs = {"content-type": content_type, **headers}
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (name.replace("_", "-").encode(), value.encode())
                    for name, value in pairs.items()
                ],
            }
        )

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def whole(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        **headers: str,
    ) -> None:
        await self.start(status, content_type, **headers)
        await self.piece(body, more=False)

    async def result(self, result: dict[str, Any], session: str = "") -> None:
        text = json.dumps({"jsonrpc": "2.0", "id": self._id, "result": result})
        headers = {"mcp_session_id": session} if session else {}
        await self.whole(text.encode(), **headers)

    async def flood(self) -> None:
        await self.start(200, "application/json")
        await self._endless(b"x" * 1_000_000)

    async def stream(self) -> None:
        await self.start(200, "text/event-stream")
        params = {"data": "x" * 100_000}
        note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        await self._endless(f"event: message\ndata: {note}\n\n".encode())

    async def _endless(self, piece: bytes) -> None:
        for _ in range(100):
            await self.piece(piece)
        await self.piece(b"", more=False)

    async def gzip(self) -> None:
        bomb = gzip.compress(b" " * 50_000_000)
        await self.whole(bomb, content_encoding="gzip")

    async def error(self) -> None:
        await self.whole(b"down", status=503, content_type="text/plain")

    async def html(self) -> None:
        await self.whole(b"<h1>Log in</h1>", content_type="text/html")

    async def drip(self) -> None:
        await self.start(200, "text/event-stream")
        for _ in range(50):
            await self.piece(b": wait\n\n")
            await asyncio.sleep(0.1)

    async def cut(self) -> None:
        await self.start(200, "text/event-stream")
        await self.piece(b"event: message\ndata: {", more=False)
