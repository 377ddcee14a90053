"""Server-sent events: batched per write, with heartbeats and a bounded buffer per client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from treadle.core.tasks import stopped

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 60.0
"""How long a client may read nothing before it is let go."""
MAX_BUFFERED_BYTES = 64 * 1_024
"""How much waits for a slow client; whoever makes the events waits for it from then on."""
_HEARTBEAT = b": still here\n\n"


def sse(data: Any, *, event: str = "", id_: str = "") -> bytes:
    """Return an event; bytes and text are taken as they are, other data is written as JSON."""
    if not isinstance(data, bytes):
        data = (data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)).encode()
    head = (f"id: {id_}\n" if id_ else "") + (f"event: {event}\n" if event else "")
    # A thousand readers of an event have it written a thousand times: nothing is copied twice.
    return b"%bdata: %b\n\n" % (head.encode(), data.replace(b"\n", b"\ndata: "))


class EventStream(Response):
    """Sends events as they come, until they end or the client leaves.

    When the client leaves, the source is closed at once.

    Args:
        source: yields events as `sse` writes them, none, one or several together.
        headers: further headers.
        on_left: is called when the client left before the end; not where the server stops.
        heartbeat_seconds: how long nothing may be sent.
        send_seconds: how long the client may read nothing.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        source: AsyncIterator[bytes],
        headers: Mapping[str, str] | None = None,
        *,
        on_left: Callable[[], None] | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", **(headers or {})})
        del self.headers["content-length"]
        self._source = source
        self._on_left = on_left
        self._heartbeat_seconds = heartbeat_seconds
        self._send_seconds = send_seconds
        self._waiting: list[bytes] = []
        self._size = 0
        self._filled, self._taken = asyncio.Event(), asyncio.Event()
        self._is_over = self._is_broken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        filling = asyncio.create_task(self._fill())
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        has_left = False
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            has_left = not sending.done()
        finally:
            await stopped(filling, sending, leaving)
        try:
            if not sending.cancelled():
                sending.result()
        except (TimeoutError, OSError):
            has_left = True  # It is let go.
        if has_left and self._on_left is not None:
            self._on_left()
        if filling.done() and not filling.cancelled():
            filling.result()

    async def _fill(self) -> None:
        try:
            async for event in self._source:
                if not event:  # Nothing of it was wanted; an empty write would end the stream.
                    continue
                self._waiting.append(event)
                self._size += len(event)
                self._filled.set()
                while self._size >= MAX_BUFFERED_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
        except BaseException:
            self._is_broken = True
            raise
        finally:
            close = getattr(self._source, "aclose", None)
            if close is not None:
                await close()
            self._is_over = True
            self._filled.set()

    async def _send(self, send: Send) -> None:
        while True:
            batch = await self._batch()
            if not batch and self._is_broken:
                return  # Cut, so that the client knows that this was not all.
            async with asyncio.timeout(self._send_seconds):
                await send({"type": "http.response.body", "body": batch, "more_body": bool(batch)})
            if not batch:
                return

    async def _batch(self) -> bytes:
        """Return all that waits, as one piece; nothing at the end."""
        while not (self._waiting or self._is_over):
            self._filled.clear()
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._filled.wait()
            except TimeoutError:
                return _HEARTBEAT
        batch = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._taken.set()
        return batch


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
