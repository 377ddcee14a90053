"""TLS to a checked address: the certificate is still that of the name."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from treadle.core.addresses import Allowed, IPAddress
from treadle.core.errors import OutgoingError
from treadle.core.outgoing import Outgoing

DAY = datetime.timedelta(days=1)
PINNED = "127.0.0.1"


@dataclass
class Authority:
    """A certificate authority that nobody else knows."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.certificate = _signed(_name("authority"), self.key, self.key, _name("authority"))

    def trusted(self) -> ssl.SSLContext:
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def context_for(self, *hosts: str) -> ssl.SSLContext:
        """Return what a server shows a certificate for these names and addresses with."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        signed = _signed(_name(hosts[0]), key, self.key, _name("authority"), names)
        files = self.folder / f"{hosts[0]}.pem", self.folder / f"{hosts[0]}.key"
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    names: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(by, hashes.SHA256())


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
    async for each in _site(authority.context_for("site.example")):
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
        **{"allowed": allowed, "resolver": resolver, "verify": authority.trusted(), **more}  # type: ignore[arg-type]
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
    async for site in _site(authority.context_for(PINNED)):
        with pytest.raises(OutgoingError, match="cannot be reached"):
            await outgoing(authority).request("GET", f"https://site.example:{site.port}/")
        assert site.requests == []


async def test_an_unknown_authority_is_refused(authority, site, tmp_path):
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(OutgoingError, match="cannot be reached"):
        await outgoing(stranger).request("GET", f"https://site.example:{site.port}/")
    with pytest.raises(OutgoingError, match="cannot be reached"):
        await outgoing(stranger, verify=None).request("GET", f"https://site.example:{site.port}/")
    assert site.requests == []
