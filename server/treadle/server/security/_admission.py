"""How often, and how much at once, each caller may ask."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import RedisError as DriverError

from treadle.core.settings import ServerSettings
from treadle.core.tasks import stopped
from treadle.memory.scripts import ScriptCall, driver_of, encoded, load_script
from treadle.server.security._principal import Principal

_ADMIT = load_script(str(__package__), "admit")
_LEASE_SECONDS = 60


class TooManyError(Exception):
    """A caller asks too often, or too much at once.

    Attributes:
        retry_after_seconds: when to ask again.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Admission:
    """Admits requests within each caller's limits, over all servers that share a Redis.

    Args:
        redis: the connection to Redis.
        settings: the limits of callers that have none of their own.
        tenant: the tenant of callers that name none.
    """

    def __init__(self, redis: Any, settings: ServerSettings, tenant: str) -> None:
        self._redis = redis
        self._driver = driver_of(redis, "Admission")
        self._settings = settings
        self._tenant = tenant

    @asynccontextmanager
    async def admitted(self, principal: Principal, *, runs: bool) -> AsyncIterator[None]:
        """Answer a request inside, when the caller is within its limits.

        Args:
            principal: who asks.
            runs: whether the request runs something, and counts as such until its answer ends.

        Raises:
            TooManyError: it is not.
        """
        rate = principal.requests_per_minute or self._settings.requests_per_minute or 0
        at_once = principal.runs_at_once or self._settings.runs_at_once or 0
        is_counted = runs and at_once > 0
        if not rate and not is_counted:
            yield
            return
        caller = encoded(principal.key_id or principal.subject or "operator")
        root = f"treadle:{principal.tenant or self._tenant}:{{caller:{caller}}}"
        keys = (f"{root}:requests", f"{root}:running")
        slot = uuid.uuid4().hex if is_counted else ""
        await self._admit(keys, rate, at_once, slot)
        if not slot:
            yield
            return
        renewing = asyncio.create_task(self._renew(keys[1], slot))
        try:
            yield
        finally:
            await stopped(renewing)
            with suppress(DriverError, OSError):  # The lease ends by itself.
                await asyncio.shield(self._redis.zrem(keys[1], slot))

    async def _admit(self, keys: tuple[str, str], rate: int, at_once: int, slot: str) -> None:
        moment = int(time.time() * 1000)
        arguments = (moment, rate, at_once, slot, _LEASE_SECONDS * 1000)
        wait_ms, of_runs = await self._driver.ask(ScriptCall(_ADMIT, keys, arguments))
        if not wait_ms:
            return
        seconds = -(-int(wait_ms) // 1000)
        if of_runs:
            raise TooManyError(f"At most {at_once} requests may run something at once.", seconds)
        raise TooManyError(f"At most {rate} requests are answered in a minute.", seconds)

    async def _renew(self, key: str, slot: str) -> None:
        while True:
            await asyncio.sleep(_LEASE_SECONDS / 3)
            until = int(time.time() * 1000) + _LEASE_SECONDS * 1000
            with suppress(DriverError, OSError):
                await self._redis.zadd(key, {slot: until})
                await self._redis.expire(key, _LEASE_SECONDS)
