"""Tokens of an OpenID provider (JWT), checked against the provider's published keys."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from treadle.core.certificates import distrust, trusted_authorities
from treadle.core.errors import ConfigError
from treadle.core.settings import JwtSettings
from treadle.server.security._principal import Principal, Scope

_FRESH_SECONDS = 600
"""How long published keys are used before they are fetched again."""
_AGAIN_SECONDS = 30
"""How soon, at the earliest, an unknown key has them fetched again."""
_LEEWAY_SECONDS = 30
_MAX_BYTES = 1_000_000


class Tokens:
    """Checks tokens.

    Args:
        settings: which provider, and what its claims mean.

    Raises:
        ConfigError: joserfc is not installed.
    """

    def __init__(self, settings: JwtSettings) -> None:
        try:
            from joserfc import jwk, jwt  # noqa: PLC0415 - it is an extra
        except ImportError:
            raise ConfigError(
                "[server.jwt] needs the package joserfc.", hint="pip install 'treadle[oidc]'"
            ) from None
        self._jwk, self._jwt = jwk, jwt
        self._settings = settings
        self._keys: Any = None
        self._fetched = 0.0
        self._fetching = asyncio.Lock()
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def check(self, token: str) -> Principal | None:
        """Return whom a token speaks for; ``None`` when it is not one of the provider's.

        Raises:
            ConfigError: the provider's keys cannot be fetched.
        """
        from joserfc.errors import JoseError  # noqa: PLC0415 - it is an extra

        for is_last in (False, True):
            keys = await self._published(again=is_last)
            if keys is None:
                return None
            try:
                read = self._jwt.decode(token, keys, algorithms=list(self._settings.algorithms))
                self._claims.validate(read.claims)
            except (JoseError, ValueError):
                if self._was_fetched_just_now():
                    return None
                continue  # The provider may have new keys.
            return self._principal(read.claims)
        return None

    def _principal(self, claims: dict[str, Any]) -> Principal | None:
        settings = self._settings
        tenant = claims.get(settings.tenant_claim) if settings.tenant_claim else None
        if settings.tenant_claim and not isinstance(tenant, str):
            return None
        granted = claims.get(settings.scope_claim, "")
        words = granted.split() if isinstance(granted, str) else [str(one) for one in granted]
        held = [scope for scope in Scope if f"{settings.scope_prefix}{scope}" in words]
        if not held:
            return None
        return Principal(str(claims["sub"]), tenant, held[-1])

    def _was_fetched_just_now(self) -> bool:
        return time.monotonic() - self._fetched < _AGAIN_SECONDS

    async def _published(self, *, again: bool) -> Any:
        async with self._fetching:
            age = time.monotonic() - self._fetched
            if self._keys is None or age > (_AGAIN_SECONDS if again else _FRESH_SECONDS):
                self._keys = await self._fetch()
                self._fetched = time.monotonic()
            return self._keys

    async def _fetch(self) -> Any:
        settings = self._settings
        try:
            async with httpx.AsyncClient(
                timeout=5, follow_redirects=False, verify=trusted_authorities()
            ) as client:
                address = settings.jwks_url
                if address is None:
                    place = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                    address = str((await _json(client, place))["jwks_uri"])
                    _check_address(address)
                return self._jwk.KeySet.import_key_set(await _json(client, address))
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            certificate = distrust(error)
            told = f"it {certificate.problem}" if certificate else type(error).__name__
            raise ConfigError(
                f"the keys of {settings.issuer} cannot be fetched: {told}.",
                hint=(certificate and certificate.hint) or "See [server.jwt] in treadle.toml.",
            ) from error


async def _json(client: httpx.AsyncClient, address: str) -> Any:
    answer = await client.get(address)
    answer.raise_for_status()
    if len(answer.content) > _MAX_BYTES:
        raise ValueError("it is too long")
    return answer.json()


def _check_address(address: str) -> None:
    """Refuse keys that are fetched where others can change them on the way.

    Raises:
        ValueError: the address is not https.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("it is not https")
