"""Holding a client to a server that the operator chose, such as a wiki or a search engine.

The server's address is trusted, and proxies of the environment are used; what the server says is
not trusted: it can neither lead a request elsewhere nor fill the memory. Addresses that a model or
a stranger chose go through `treadle.core.outgoing` instead.
"""

import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from treadle.core.errors import OutgoingError

MAX_BYTES = 10_000_000
"""How long an answer may be unless a client says otherwise, on the wire and unpacked."""

_PIECE_BYTES = 65_536
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def held_to(url: str, max_bytes: int = MAX_BYTES) -> dict[str, list[Any]]:
    """Return the ``event_hooks`` of an ``httpx.AsyncClient`` that hold it to a server.

    Requests to another host or port, redirects among them, and answers that are longer than
    ``max_bytes`` or packed otherwise than asked for raise `OutgoingError`.

    Args:
        url: an address of the server.
        max_bytes: how long an answer may be, on the wire and unpacked.
    """
    chosen = httpx.URL(url)
    place = (chosen.host, _port(chosen))

    async def stay(request: httpx.Request) -> None:
        if (request.url.host, _port(request.url)) != place:
            raise OutgoingError(
                f"{chosen.host} leads to {request.url.host}, which is not asked.",
                hint="Name the address that it leads to.",
            )
        request.headers["accept-encoding"] = "gzip, deflate"

    async def bound(response: httpx.Response) -> None:
        packed = response.headers.pop("content-encoding", "identity").strip().lower()
        if packed not in {"identity", "gzip", "deflate", ""}:
            raise OutgoingError(f"{chosen.host} packs its answer as {packed!r}.")
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - of an async client
        is_packed = packed in {"gzip", "deflate"}
        response.stream = _Bounded(response.stream, is_packed, max_bytes, chosen.host)

    return {"request": [stay], "response": [bound]}


class _Bounded(httpx.AsyncByteStream):
    """A body, unpacked, up to a limit."""

    def __init__(
        self, stream: httpx.AsyncByteStream, is_packed: bool, max_bytes: int, host: str
    ) -> None:
        self._stream = stream
        self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if is_packed else None
        self._left = max_bytes
        self._told = f"The answer of {host} is longer than {max_bytes:,} bytes."
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            if self._unpacker is None:
                yield self._counted(chunk)
                continue
            left = chunk
            while left and not self._unpacker.eof:
                yield self._counted(self._unpacked(left))
                left = self._unpacker.unconsumed_tail
        if self._unpacker is not None:
            yield self._counted(self._unpacker.flush())  # no more than a few hundred bytes

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _unpacked(self, chunk: bytes) -> bytes:
        assert self._unpacker is not None  # noqa: S101 - asked before
        try:
            return self._unpacker.decompress(chunk, _PIECE_BYTES)
        except zlib.error as error:
            raise OutgoingError(f"The answer of {self._host} is damaged: {error}.") from None

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise OutgoingError(self._told)
        return piece


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
