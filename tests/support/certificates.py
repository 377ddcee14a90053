"""Certificates for TLS on loopback, made for one test and trusted by nobody else."""

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_FOR = datetime.timedelta(days=1)

_MAY_SIGN_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and of its key."""

    certificate: Path
    key: Path


@dataclass
class Authority:
    """A certificate authority that nobody else knows.

    Attributes:
        folder: where its files are.
        well_formed: whether its certificates keep to RFC 5280; else they lack the identifiers of
            the keys and what the authority's may be used for, as many a company's do.
    """

    folder: Path
    well_formed: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.name = _new_name("authority")
        signed = self._signed(self.name, self.key)
        self.files = _written(self.folder, "authority", signed, self.key)
        self.certificate = self.files.certificate

    def issue(self, *hosts: str) -> Certificate:
        """Return a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(_new_name(hosts[0]), key, [_general(host) for host in hosts])
        return _written(self.folder, hosts[0], signed, key)

    def self_signed(self) -> Certificate:
        """Return a certificate that speaks for 127.0.0.1 and for itself."""
        signed = self._signed(self.name, self.key, [_general("127.0.0.1")])
        return _written(self.folder, "certificate", signed, self.key)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        is_authority = subject == self.name
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - VALID_FOR)
            .not_valid_after(now + VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if self.well_formed:
            for extension in self._identifiers(key):
                builder = builder.add_extension(extension, critical=False)
            if is_authority:
                builder = builder.add_extension(_MAY_SIGN_CERTIFICATES, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def _identifiers(self, key: ec.EllipticCurvePrivateKey) -> list[x509.ExtensionType]:
        return [
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
        ]


def self_signed(folder: Path) -> Certificate:
    """Write a self-signed certificate for 127.0.0.1 and its key into ``folder``."""
    return Authority(folder).self_signed()


def served_with(files: Certificate) -> ssl.SSLContext:
    """Return what a server shows this certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


def _new_name(about: str) -> x509.Name:
    common_name = f"{about} {x509.random_serial_number():x}"[:64]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general(host: str) -> x509.GeneralName:
    if host[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)


def _written(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    files = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
