"""Requests to addresses that a model, a page or a caller chose: safe against forgery (SSRF).

Only ``http`` and ``https``; the name is resolved here and the connection goes to the very address
that was checked, so an answer of the name server that changes in between changes nothing. Every
redirect is checked like the first request. The certificate and the ``Host`` header are still
those of the name. What comes back is bounded in time, in bytes on the wire and unpacked.

The operator's own services (a model's provider, a configured search engine) are not asked
through this: their addresses are the operator's choice.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpx

from treadle.core.addresses import Allowed, IPAddress, literal_address
from treadle.core.certificates import distrust, trusted_authorities
from treadle.core.errors import OutgoingError

Resolver = Callable[[str, int], Awaitable[Sequence[IPAddress]]]
"""Returns the addresses of a host name for a port; raises ``OSError`` when there are none."""

USER_AGENT = "treadle/0.1 (+agent)"

_MAX_ADDRESSES = 4
_UNPACK_BYTES = 4_096
"""How much is unpacked at once: deflate makes at most 1,032 bytes of one."""


async def resolve(host: str, port: int) -> list[IPAddress]:
    """Ask the system's resolver.

    Raises:
        OSError: the name has no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(each[4][0]) for each in found))


class SafeTransport(httpx.AsyncBaseTransport):
    """Sends each request to an address that was checked, and to no other.

    A connection serves one request: addresses are pinned for a name, and a connection kept
    open for one name must not serve another at the same address.
    """

    def __init__(
        self,
        allowed: Allowed,
        resolver: Resolver = resolve,
        *,
        max_bytes: int,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        """Take the rules.

        Args:
            allowed: what may be reached besides public addresses.
            resolver: finds the addresses of names.
            max_bytes: how long a body may be on the wire.
            verify: whom to trust; the usual authorities when not given.
        """
        self._allowed = allowed
        self._resolver = resolver
        self._max_bytes = max_bytes
        self._inner = httpx.AsyncHTTPTransport(
            verify=verify or trusted_authorities(),
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; see ``httpx.AsyncBaseTransport``.

        Raises:
            OutgoingError: its address may not be reached.
        """
        addresses = await self._addresses(request.url)
        for address in addresses[:-1]:
            try:
                return self._bounded(await self._send(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return self._bounded(await self._send(request, addresses[-1]))

    async def check(self, url: httpx.URL) -> None:
        """Find out where an address leads, without sending anything.

        Raises:
            OutgoingError: it may not be reached, or leads nowhere.
        """
        await self._addresses(url)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx.URL) -> list[IPAddress]:
        """Return the addresses to try, each checked."""
        if url.scheme not in {"http", "https"}:
            raise OutgoingError(f"{_shown(url)} is no web address: only http and https are.")
        if url.userinfo:
            raise OutgoingError(f"{_shown(url)} carries a user name; addresses must not.")
        host, port = url.raw_host.decode("ascii"), url.port or _port(url)
        try:
            literal = literal_address(host)
        except ValueError as error:
            raise OutgoingError(f"{_shown(url)} cannot be reached: {error}.") from None
        if literal:
            found: Sequence[IPAddress] = [literal]
        else:
            try:
                found = await self._resolver(host, port)
            except (OSError, UnicodeError):
                found = []
            if not found:
                raise OutgoingError(f"There is no host named {host!r}.")
        is_named = self._allowed.permits_host(host, port)
        # One address inside is enough to refuse: no public name has any.
        if not is_named and not all(self._allowed.permits(address) for address in found):
            raise OutgoingError(
                f"{_shown(url)} is not on the public internet.",
                hint="The operator can allow it: [outgoing] allow in treadle.toml.",
            )
        return list(found[:_MAX_ADDRESSES])

    async def _send(self, request: httpx.Request, address: IPAddress) -> httpx.Response:
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={
                **request.extensions,
                "sni_hostname": request.url.raw_host.decode("ascii").removesuffix("."),
            },
        )
        return await self._inner.handle_async_request(pinned)

    def _bounded(self, response: httpx.Response) -> httpx.Response:
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - it is httpx's own
        response.stream = _BoundedStream(response.stream, self._max_bytes)
        return response


class _BoundedStream(httpx.AsyncByteStream):
    """A body in small pieces, up to a limit."""

    def __init__(self, stream: httpx.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._stream:
            seen += len(chunk)
            if seen > self._max_bytes:
                raise _too_long(self._max_bytes)
            for start in range(0, len(chunk), _UNPACK_BYTES):
                yield chunk[start : start + _UNPACK_BYTES]

    async def aclose(self) -> None:
        await self._stream.aclose()


@dataclass(frozen=True)
class Outgoing:
    """Sends requests that are checked and bounded.

    Attributes:
        allowed: what may be reached besides public addresses.
        resolver: finds the addresses of names.
        seconds: how long one request may take, redirects and body included.
        max_bytes: how long a body may be, on the wire and unpacked.
        max_redirects: how many redirects are followed; with 0 a redirect is the answer.
        verify: whom to trust; the usual authorities when not given.
    """

    allowed: Allowed = field(default_factory=Allowed)
    resolver: Resolver = resolve
    seconds: float = 20
    max_bytes: int = 5_000_000
    max_redirects: int = 5
    verify: ssl.SSLContext | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a request and return the answer, its body read and unpacked.

        Raises:
            OutgoingError: the address may not be reached or does not answer, or the answer is
                too long, too late or damaged. An HTTP status of failure is an answer.
        """
        try:
            async with asyncio.timeout(self.seconds), self._client() as client:
                sent = client.stream(
                    method,
                    url,
                    headers={"accept-encoding": "gzip, deflate", **(headers or {})},
                    content=content,
                    follow_redirects=self.max_redirects > 0,
                )
                async with sent as response:
                    return await self._read(response)
        except TimeoutError:
            raise OutgoingError(f"{url} gave no answer within {self.seconds:g} seconds.") from None
        except httpx.TooManyRedirects:
            raise OutgoingError(f"{url} redirects more than {self.max_redirects} times.") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise OutgoingError(f"{url!r} is no web address: {error}") from None
        except httpx.ConnectError as error:
            raise _not_reached(url, error) from None
        except httpx.HTTPError as error:
            raise OutgoingError(f"{url} broke off: {type(error).__name__}: {error}.") from None

    async def check(self, url: str) -> None:
        """Find out whether requests to an address are sent, without sending one.

        Raises:
            OutgoingError: the address may not be reached, or leads nowhere.
        """
        try:
            async with asyncio.timeout(self.seconds), self._transport() as transport:
                await transport.check(httpx.URL(url))
        except TimeoutError:
            raise OutgoingError(f"{url} was not found within {self.seconds:g} seconds.") from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise OutgoingError(f"{url!r} is no web address: {error}") from None

    def _transport(self) -> SafeTransport:
        return SafeTransport(
            self.allowed, self.resolver, max_bytes=self.max_bytes, verify=self.verify
        )

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self._transport(),
            trust_env=False,
            timeout=self.seconds,
            max_redirects=self.max_redirects or 1,
            headers={"user-agent": USER_AGENT},
        )

    async def _read(self, response: httpx.Response) -> httpx.Response:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "deflate", ""}:
            # Others unpack without a bound of their own, and we did not ask for them.
            raise OutgoingError(
                f"{response.url} is packed as {encoding!r}, which was not asked for."
            )
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self.max_bytes:
                raise _too_long(self.max_bytes)
        kept = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return httpx.Response(
            response.status_code,
            headers=kept,
            content=bytes(body),
            request=response.request,
            history=response.history,
        )


def _too_long(max_bytes: int) -> OutgoingError:
    return OutgoingError(f"The answer is longer than {max_bytes:,} bytes.")


def _port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80


def _shown(url: httpx.URL) -> str:
    """Return an address without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))[:200]


def _not_reached(url: str, error: httpx.ConnectError) -> OutgoingError:
    if (certificate := distrust(error)) is not None:
        return OutgoingError(f"{url} {certificate.problem}.", hint=certificate.hint)
    return OutgoingError(f"{url} cannot be reached: {error}.")
