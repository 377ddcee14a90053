"""A web server on loopback that answers, or fails to, as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from tests.support.certificates import Certificate, served_with


class Fault(Enum):
    """A way not to answer."""

    HANG = "say nothing"
    DROP = "close without a word"
    HALF = "close in the middle of the body"
    DRIP = "send the body a byte at a time, without end"


@dataclass
class Answer:
    """What the server says to a request."""

    body: str | bytes = ""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass
class Request:
    """What the server was asked; ``parameters`` are those of the address and of a form."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: str = ""


class WebServer:
    """Gives ``answer`` to every request that ``answers`` has none for, and remembers them."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.url = ""
        self._stopping = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await _read(reader))
            await self._respond(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away, which some tests want.
        finally:
            writer.close()

    async def _respond(self, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.get(self.requests[-1].path, self.answer)
        if answer.fault is Fault.DROP:
            return
        if answer.fault is Fault.HANG:
            await self._stopping.wait()
            return
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        length = len(body) if answer.fault is None else len(body) + 10_000
        head = {"content-type": answer.content_type, "content-length": str(length)}
        lines = [f"{name}: {value}" for name, value in (head | answer.headers).items()]
        start = f"HTTP/1.1 {answer.status} Status"
        writer.write("\r\n".join([start, *lines, "connection: close", "", ""]).encode() + body)
        await writer.drain()
        while answer.fault is Fault.DRIP and not self._stopping.is_set():
            writer.write(b"x")
            await writer.drain()
            await _wait(self._stopping, 0.05)

    def stop(self) -> None:
        self._stopping.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
    parts = urlsplit(target)
    parameters = parse_qs(parts.query, keep_blank_values=True) | parse_qs(body)
    return Request(
        method, parts.path, {key: value[0] for key, value in parameters.items()}, headers, body
    )


@asynccontextmanager
async def web_server(shown: Certificate | None = None) -> AsyncIterator[WebServer]:
    """Run a server, with TLS where it has a certificate; its ``url`` has no slash at the end."""
    web = WebServer()
    tls = None if shown is None else served_with(shown)
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0, ssl=tls)
    web.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield web
    finally:
        web.stop()
        server.close()
        await server.wait_closed()
