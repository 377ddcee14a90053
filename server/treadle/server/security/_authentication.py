"""Finding out who asks."""

import inspect
from collections.abc import Awaitable, Callable, Mapping

from treadle.core.errors import ConfigError
from treadle.core.files import load_object
from treadle.runtime import Runtime
from treadle.server.security._keys import ApiKeys, is_key
from treadle.server.security._principal import OPERATOR, Principal
from treadle.server.security._tokens import Tokens

Hook = Callable[[Mapping[str, str]], Principal | Awaitable[Principal | None] | None]
"""A project's own check: is given the request's headers, by lower-case names."""

_UNKNOWN = "The key is not known, was revoked, or has expired."


class UnauthorizedError(Exception):
    """Nobody knows who asks; the message says what is needed."""


class Authenticator:
    """Finds out who asks: by the project's own check, an API key, or a provider's token.

    Args:
        runtime: the runtime that is served.
        keys: the keys.
        requires_key: whether whoever shows nothing is refused, and not taken for the operator.

    Raises:
        ConfigError: what ``[server]`` says cannot be used.
    """

    def __init__(self, runtime: Runtime, keys: ApiKeys, *, requires_key: bool) -> None:
        settings = runtime.settings.server
        self._keys = keys
        self._tokens = Tokens(settings.jwt) if settings.jwt else None
        named = settings.authenticate
        self._hook: Hook | None = load_object(named, runtime.project) if named else None
        if self._hook is not None and not callable(self._hook):
            raise ConfigError(f"server.authenticate = {named!r}: it cannot be called.")
        asks = settings.require_key or self._tokens is not None or self._hook is not None
        self.requires_key = requires_key or asks

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """Return who asks.

        Raises:
            UnauthorizedError: nothing was shown, or nothing that is known.
            ConfigError: the provider's keys cannot be fetched.
        """
        if (found := await self._by_hook(headers)) is not None:
            return found
        shown = _credential(headers)
        if is_key(shown):
            about = await self._keys.check(shown)
            if about is None:
                raise UnauthorizedError(_UNKNOWN)
            return about.principal()
        if shown and self._tokens is not None:
            checked = await self._tokens.check(shown)
            if checked is None:
                raise UnauthorizedError("The token is not valid here, or grants nothing.")
            return checked
        if self.requires_key and shown:  # Of a text that is no key no more is said.
            raise UnauthorizedError(_UNKNOWN)
        if self.requires_key:
            raise UnauthorizedError(
                "A key is needed: send it as 'Authorization: Bearer ...' or as 'x-api-key'."
            )
        return OPERATOR  # Clients that insist on a key may send anything on loopback.

    async def _by_hook(self, headers: Mapping[str, str]) -> Principal | None:
        if self._hook is None:
            return None
        found = self._hook(headers)
        return await found if inspect.isawaitable(found) else found


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and shown:
        return shown.strip()
    return headers.get("x-api-key", "").strip()
