"""API keys: made once, kept as keyed hashes."""

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.settings import home
from treadle.server.security._principal import Principal, Scope

SECRET_VARIABLE = "TREADLE_KEYS_SECRET"  # noqa: S105 - a variable's name
"""Names the secret that keys are hashed with, where servers of several machines share a Redis."""
_FORM = re.compile(r"treadle_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_RECORDS = "treadle:{api-keys}"
_SECRET_FILE = "keys.secret"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key: all but the key.

    Attributes:
        id: its id, a part of the key.
        name: what it is for.
        tenant: whose data it reaches.
        subject: whose threads it makes.
        scope: what it may do.
        agents: the agents it may ask; ``None`` for all.
        created: when it was made, ISO 8601, UTC.
        expires: when it stops being taken, ISO 8601, UTC; ``None`` for never.
        requests_per_minute: its own limit, or ``None`` for the server's.
        runs_at_once: its own limit, or ``None`` for the server's.
    """

    id: str
    name: str
    tenant: str
    subject: str
    scope: Scope
    agents: tuple[str, ...] | None
    created: str
    expires: str | None = None
    requests_per_minute: int | None = None
    runs_at_once: int | None = None

    def principal(self) -> Principal:
        """Return whom the key speaks for."""
        return Principal(
            self.subject,
            self.tenant,
            self.scope,
            None if self.agents is None else frozenset(self.agents),
            self.id,
            self.requests_per_minute,
            self.runs_at_once,
        )

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= _now()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: the key itself; nobody can show it again.
        about: what is kept of it.
    """

    key: str
    about: ApiKey


class ApiKeys:
    """The keys of a server, those of all tenants.

    Args:
        redis: the connection to Redis.
        secret: what keys are hashed with; `keys_secret` when not given, once it is needed.
    """

    def __init__(self, redis: Any, secret: bytes | None = None) -> None:
        self._redis = redis
        self._secret = secret

    async def create(
        self,
        name: str,
        *,
        tenant: str,
        subject: str | None = None,
        scope: Scope = Scope.RUN,
        agents: tuple[str, ...] | None = None,
        lifetime: timedelta | None = None,
        requests_per_minute: int | None = None,
        runs_at_once: int | None = None,
    ) -> NewKey:
        """Make a key of 256 random bits.

        Args:
            name: what it is for.
            subject: whose threads it makes; its own when not given.
            lifetime: how long it is taken; for ever when not given.

        The other arguments are those of `ApiKey`.
        """
        key_id, random = secrets.token_hex(8), secrets.token_urlsafe(32)
        about = ApiKey(
            key_id,
            name,
            tenant,
            subject or f"key:{key_id}",
            scope,
            agents,
            _now().isoformat(timespec="seconds"),
            (_now() + lifetime).isoformat(timespec="seconds") if lifetime else None,
            requests_per_minute,
            runs_at_once,
        )
        record = {**asdict(about), "hash": self._hash(key_id, random)}
        await self._redis.hset(_RECORDS, key_id, json.dumps(record))
        return NewKey(f"treadle_{key_id}_{random}", about)

    async def check(self, key: str) -> ApiKey | None:
        """Return what is kept of a key; ``None`` when it is not one, revoked or expired.

        The comparison takes the same time wherever two hashes differ.
        """
        match = _FORM.fullmatch(key)
        if match is None:
            return None
        record = await self._record(match[1])
        # A key that does not exist is compared as well: it takes as long.
        known = str(record["hash"]) if record else self._hash("", "")
        same = hmac.compare_digest(self._hash(match[1], match[2]), known)
        if record is None or not same:
            return None
        about = _about(record)
        return None if about.is_expired else about

    async def list(self) -> list[ApiKey]:
        """Return what is kept of every key, oldest first."""
        records = await self._redis.hvals(_RECORDS)
        return sorted((_about(json.loads(one)) for one in records), key=lambda key: key.created)

    async def any(self) -> bool:
        """Return whether there is a key."""
        return bool(await self._redis.hlen(_RECORDS))

    async def revoke(self, key_id: str) -> ApiKey:
        """Remove a key; from now on it is refused.

        Raises:
            UnknownNameError: there is none of that id.
        """
        record = await self._record(key_id)
        if record is None or not await self._redis.hdel(_RECORDS, key_id):
            raise UnknownNameError("key", key_id, [key.id for key in await self.list()])
        return _about(record)

    async def _record(self, key_id: str) -> Mapping[str, Any] | None:
        raw = await self._redis.hget(_RECORDS, key_id)
        return json.loads(raw) if raw else None

    def _hash(self, key_id: str, random: str) -> str:
        if self._secret is None:
            self._secret = keys_secret()
        return hmac.digest(self._secret, f"{key_id}:{random}".encode(), hashlib.sha256).hex()


def is_key(text: str) -> bool:
    """Return whether a text has the form of a key."""
    return _FORM.fullmatch(text) is not None


def keys_secret(environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the secret that keys are hashed with; one is made where there is none yet.

    It is `SECRET_VARIABLE`, or a file in the user's own data folder.

    Raises:
        ConfigError: it is too short, or the file cannot be read or made.
    """
    if named := environment.get(SECRET_VARIABLE):
        if len(named) < 32:
            raise ConfigError(
                f"{SECRET_VARIABLE} has {len(named)} characters; at least 32 are needed.",
                hint="Make one with: openssl rand -hex 32",
            )
        return named.encode()
    path = home() / _SECRET_FILE
    try:
        return _made(path)
    except OSError as error:
        raise ConfigError(f"cannot be read or made: {error.strerror}.", path=path) from None


def _made(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)  # Whole or not at all, and never over another one's.
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def _about(record: Mapping[str, Any]) -> ApiKey:
    fields = {name: value for name, value in record.items() if name != "hash"}
    agents = fields["agents"]
    about = ApiKey(**fields)
    return replace(
        about, scope=Scope(fields["scope"]), agents=None if agents is None else tuple(agents)
    )


def _now() -> datetime:
    return datetime.now(UTC)
