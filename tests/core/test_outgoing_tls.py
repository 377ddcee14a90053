"""TLS to a checked address: the certificate is still that of the name."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.certificates import Authority, served_with
from treadle.core.addresses import Allowed, IPAddress
from treadle.core.errors import ConfigError, OutgoingError
from treadle.core.outgoing import Outgoing

PINNED = "127.0.0.1"


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


@dataclass
class Site:
    """A server that notes who connected and which name was asked for."""

    port: int = 0
    connected: int = 0
    asked_for: list[str | None] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def site(authority: Authority) -> AsyncIterator[Site]:
    """Serve ``site.example`` on the pinned address."""
    async for each in _site(served_with(authority.issue("site.example"))):
        yield each


async def _site(context: ssl.SSLContext) -> AsyncIterator[Site]:
    site = Site()
    context.sni_callback = lambda _, name, __: site.asked_for.append(name)
    server = await asyncio.start_server(site.serve, PINNED, 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        await server.wait_closed()


def outgoing(authority: Authority, **more: object) -> Outgoing:
    async def resolver(host: str, port: int) -> Sequence[IPAddress]:
        return [ipaddress.ip_address(PINNED)]

    allowed = Allowed.parse(["site.example", "other.example", PINNED])
    return Outgoing(
        **{"allowed": allowed, "resolver": resolver, "verify": trusting(authority), **more}  # type: ignore[arg-type]
    )


async def test_the_name_is_checked_and_the_address_connected_to(authority, site):
    answer = await outgoing(authority).request("GET", f"https://site.example:{site.port}/page")
    assert answer.text == "hello"
    assert site.asked_for == ["site.example"]
    [request] = site.requests
    assert request.startswith(b"GET /page HTTP/1.1\r\n")
    assert f"host: site.example:{site.port}".encode() in request.lower()
    assert str(answer.url).startswith("https://site.example")


async def test_a_dot_at_the_end_changes_nothing(authority, site):
    answer = await outgoing(authority, allowed=Allowed.parse([PINNED])).request(
        "GET", f"https://site.example.:{site.port}/"
    )
    assert answer.text == "hello"
    assert site.asked_for == ["site.example"]


async def test_a_certificate_for_another_name_is_refused(authority, site):
    with pytest.raises(OutgoingError, match=r"other\.example"):
        await outgoing(authority).request("GET", f"https://other.example:{site.port}/")
    assert site.asked_for == ["other.example"]
    assert site.requests == []


async def test_a_certificate_for_the_address_does_not_speak_for_the_name(authority):
    async for site in _site(served_with(authority.issue(PINNED))):
        with pytest.raises(OutgoingError, match=r"Use a name or an address that the certificate"):
            await outgoing(authority).request("GET", f"https://site.example:{site.port}/")
        assert site.requests == []


async def test_an_unknown_authority_is_refused(authority, site, tmp_path):
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(OutgoingError, match="SSL_CERT_FILE"):
        await outgoing(stranger).request("GET", f"https://site.example:{site.port}/")
    with pytest.raises(OutgoingError, match="SSL_CERT_FILE"):
        await outgoing(stranger, verify=None).request("GET", f"https://site.example:{site.port}/")
    assert site.requests == []


async def test_an_authority_that_the_operator_names_is_trusted(
    authority, site, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    answer = await outgoing(authority, verify=None).request(
        "GET", f"https://site.example:{site.port}/"
    )
    assert answer.text == "hello"
    missing = tmp_path / "missing.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE names cannot be read: .*missing\.pem"):
        await outgoing(authority, verify=None).request("GET", f"https://site.example:{site.port}/")


async def test_a_certificate_that_is_not_well_formed_is_refused_with_what_it_lacks(tmp_path):
    """As Python does on its own from 3.13 on; here on any."""
    company = Authority(tmp_path, well_formed=False)
    strict = trusting(company)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    async for site in _site(served_with(company.issue("site.example"))):
        with pytest.raises(OutgoingError) as caught:
            await outgoing(company, verify=strict).request(
                "GET", f"https://site.example:{site.port}/"
            )
        assert "is not trusted: Missing Authority Key Identifier." in caught.value.message
        assert "made anew" in caught.value.hint
        assert site.requests == []
