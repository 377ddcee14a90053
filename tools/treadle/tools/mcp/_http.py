"""Speaking with a server at an address: streamable HTTP, bound to that address and bounded."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from treadle.tools.mcp._stdio import End

CONNECT_SECONDS = 10.0


@asynccontextmanager
async def http_transport(
    url: str, headers: Mapping[str, str], max_bytes: int, end: End
) -> AsyncGenerator[tuple[Any, Any], None]:
    """Yield the streams of a server's messages.

    Args:
        url: its address; nothing else is reached, wherever the server points.
        headers: are sent with every request.
        max_bytes: how long an answer may be.
        end: is told how the connection ended.
    """
    transport = _BoundTransport(httpx2.URL(url), max_bytes, end)
    client = httpx2.AsyncClient(
        transport=transport,
        # Answers may take long: the call that waits for one has a time limit.
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        headers={**headers, "accept-encoding": "identity"},
    )
    async with (
        client,
        streamable_http_client(url, http_client=client, max_sse_event_size=max_bytes) as streams,
    ):
        yield streams


class _BoundTransport(httpx2.AsyncBaseTransport):
    """Sends requests to one origin only, and reads so much of each answer."""

    def __init__(self, url: httpx2.URL, max_bytes: int, end: End) -> None:
        self._origin = (url.scheme, url.host, url.port)
        self._max_bytes = max_bytes
        self._end = end
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if (url.scheme, url.host, url.port) != self._origin:
            raise httpx2.UnsupportedProtocol(f"{url.host} is not the server's address")
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            self._end.reason = "packed its answer, which was not asked for"
            raise httpx2.DecodingError(self._end.reason)
        # 404 and 405 are how servers say that they lack a method.
        if response.status_code >= 400 and response.status_code not in {404, 405}:
            self._end.reason = f"answered with HTTP {response.status_code}"
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - it is async
        response.stream = _BoundedStream(response.stream, self._max_bytes, self._end)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int, end: End) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._end = end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._stream:
            seen += len(chunk)
            if seen > self._max_bytes:
                self._end.reason, self._end.is_too_large = "sent an answer that is too long", True
                raise httpx2.StreamError(self._end.reason)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
