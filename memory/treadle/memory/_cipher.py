"""Encryption at rest."""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from treadle.core.errors import ConfigError
from treadle.memory._storage_errors import RecordError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEYS_VARIABLE = "TREADLE_ENCRYPTION_KEYS"
_KEY_BYTES = (16, 24, 32)
_NONCE_BYTES = 12


class AesGcmCipher:
    """AES-GCM with named keys, so that keys can be changed without losing what is stored.

    The first key encrypts; every key decrypts. To rotate: put the new key first, keep the old
    one behind it until the threads written with it have expired, then drop it.

    Args:
        keys: the keys by name, of 16, 24 or 32 bytes; the first encrypts.
        reads_plaintext: also read records written before encryption was switched on. Leave it
            off once they are gone: a forger without a key could write such records too.

    Raises:
        ConfigError: a key has the wrong length, a name is unusable, or the ``cryptography``
            package is missing.
    """

    def __init__(self, keys: Mapping[str, bytes], *, reads_plaintext: bool = False) -> None:
        if not keys:
            raise ConfigError("No encryption key is given.", hint=_HOW)
        self._ciphers = {_checked_name(name): _aes_gcm(name, key) for name, key in keys.items()}
        self._current = next(iter(self._ciphers))
        self.reads_plaintext = reads_plaintext

    @classmethod
    def from_env(
        cls, variable: str = KEYS_VARIABLE, *, reads_plaintext: bool = False
    ) -> "AesGcmCipher":
        """Return a cipher with the keys in an environment variable, ``name:base64,name:base64``.

        Raises:
            ConfigError: the variable is not set or cannot be read; no key is in the message.
        """
        text = os.environ.get(variable, "").strip()
        if not text:
            raise ConfigError(f"The environment variable {variable} is not set.", hint=_HOW)
        keys: dict[str, bytes] = {}
        for number, part in enumerate(text.split(","), start=1):
            name, colon, encoded = part.strip().partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                colon = ""
            if not colon:
                raise ConfigError(
                    f"Key number {number} in {variable} is not name:base64.", hint=_HOW
                )
        return cls(keys, reads_plaintext=reads_plaintext)

    def encrypt(self, plaintext: bytes, context: bytes) -> tuple[str, bytes]:
        """Return the name of the key used, and the nonce with the encrypted bytes.

        Args:
            plaintext: what to encrypt.
            context: what `decrypt` must be given again; it is authenticated, not stored.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, plaintext, context)
        return self._current, nonce + sealed

    def decrypt(self, key_name: str, sealed: bytes, context: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            RecordError: the key is not known, or the record was changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        cipher = self._ciphers.get(key_name)
        if cipher is None:
            raise RecordError(
                f"it is encrypted with the key {key_name!r}, which is not configured.",
                hint=f"Add that key behind the current one in {KEYS_VARIABLE}.",
            )
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise RecordError(
                f"it does not decrypt with the key {key_name!r}: "
                "it was changed, or the key is another one of that name."
            ) from None


_HOW = (
    "Make a key of 32 random bytes ('openssl rand -base64 32') and set "
    f"{KEYS_VARIABLE}=<a name>:<the key>."
)


def _checked_name(name: str) -> str:
    if not name.isalnum():
        raise ConfigError(f"The key name {name!r} is not made of letters and digits.", hint=_HOW)
    return name


def _aes_gcm(name: str, key: bytes) -> "AESGCM":
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "Encryption needs the package cryptography.",
            hint="Install it: pip install 'treadle[encryption]'.",
        ) from None
    if len(key) not in _KEY_BYTES:
        raise ConfigError(f"The key {name!r} has {len(key)} bytes, not 16, 24 or 32.", hint=_HOW)
    return AESGCM(key)
