"""Whose certificates are trusted, and why one was not.

From Python 3.13 on a certificate must keep to RFC 5280: many that a company's own authority made
lack what it asks for, and were accepted before.
"""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from treadle.core.errors import ConfigError

AUTHORITIES_FILE = "SSL_CERT_FILE"
AUTHORITIES_FOLDER = "SSL_CERT_DIR"

_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}
_MALFORMED = range(79, 95)
"""OpenSSL's ``X509_V_ERR_INVALID_CA`` up to the last that it finds only when it is strict."""

_NAME_THE_AUTHORITY = f"If an authority of your own signed it, name its file in {AUTHORITIES_FILE}."
_MAKE_IT_ANEW = (
    "The certificate or its authority's lacks what RFC 5280 asks for, and Python from 3.13 on "
    "insists on it: who runs the server must have it made anew, with subjectKeyIdentifier, "
    "authorityKeyIdentifier and, for the authority, keyUsage."
)


@dataclass(frozen=True, slots=True)
class Distrust:
    """Why a certificate was not trusted.

    Attributes:
        problem: goes on from the name of the server, without a full stop.
        hint: what to do about it; empty where that is not known.
    """

    problem: str
    hint: str


def distrust(
    error: BaseException, *, unknown: str = _NAME_THE_AUTHORITY, meanwhile: str = ""
) -> Distrust | None:
    """Say why a certificate was not trusted, if that is what lies behind ``error``.

    Args:
        error: what a client raised; its causes are looked through.
        unknown: how an authority is made known.
        meanwhile: how a certificate that is not well-formed can be used as it is.
    """
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            said, hint = cause.verify_message.rstrip("."), ""
            if cause.verify_code in _UNKNOWN_AUTHORITY:
                hint = unknown
            elif cause.verify_code in _OTHER_NAME:
                hint = "Use a name or an address that the certificate is for."
            elif cause.verify_code in _MALFORMED:
                hint = f"{_MAKE_IT_ANEW} {meanwhile}".rstrip()
            return Distrust(f"shows a certificate that is not trusted: {said}", hint)
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, what caused that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def trusted_authorities() -> ssl.SSLContext:
    """Return a context that trusts the usual authorities, or those that the environment names.

    ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` stand in for the usual ones. Reading them takes tens of
    milliseconds, so it is done once.

    Raises:
        ConfigError: the environment names a file that cannot be read.
    """
    return _trusting(os.environ.get(AUTHORITIES_FILE), os.environ.get(AUTHORITIES_FOLDER))


@cache
def _trusting(file: str | None, folder: str | None) -> ssl.SSLContext:
    import httpx  # noqa: PLC0415 - who only asks why a certificate is not trusted does without

    try:
        return httpx.create_ssl_context()
    except OSError as problem:  # ssl.SSLError, where a file holds no certificate, is one too
        raise ConfigError(
            f"The certificates that {AUTHORITIES_FILE} names cannot be read: "
            f"{file!r}: {problem.strerror or problem}.",
            hint="It is a file with the authorities to trust, in PEM form.",
        ) from None
