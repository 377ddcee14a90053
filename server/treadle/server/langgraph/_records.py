"""What the protocol's clients name and describe: records of one kind, kept in Redis as JSON."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from treadle.core.json_text import same_json
from treadle.memory.scripts import ScriptCall, driver_of, load_script

Record = dict[str, Any]
_PAGE = 500
_SWAP = load_script(str(__package__), "swap")


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


class Records:
    """Records of one kind of a tenant; a change never overwrites another one made at once.

    Args:
        redis: the connection to Redis.
        prefix: the tenant's key prefix.
        kind: what they are, such as ``threads``.
    """

    def __init__(self, redis: Any, prefix: str, kind: str) -> None:
        self._redis = redis
        self._driver = driver_of(redis, "Records")
        # One hash tag: the two keys change together, also on a cluster.
        self._records = f"{prefix}{{langgraph:{kind}}}:records"
        self._order = f"{prefix}{{langgraph:{kind}}}:order"

    async def get(self, key: str) -> Record | None:
        """Return the record of an id, or ``None``."""
        raw = await self._redis.hget(self._records, key)
        return json.loads(raw) if raw else None

    async def add(self, key: str, record: Record) -> bool:
        """Keep a new record; return whether there was none of that id."""
        return bool(await self._driver.ask(self.adding(key, record)))

    def adding(self, key: str, record: Record) -> ScriptCall:
        """Return the call that does as `add`."""
        return self._swapping(key, b"", json.dumps(record))

    async def change(self, key: str, change: Callable[[Record], Record]) -> Record | None:
        """Change a record and return it; ``change`` is called again if another came before it."""
        while raw := await self._redis.hget(self._records, key):
            record = change(json.loads(raw))
            if await self._swap(key, raw, json.dumps(record)):
                return record
        return None

    async def remove(self, key: str) -> bool:
        """Remove a record; return whether there was one."""
        while raw := await self._redis.hget(self._records, key):
            if await self._swap(key, raw, ""):
                return True
        return False

    async def newest_first(self) -> AsyncIterator[Record]:
        """Yield every record, the one made last first, a page in memory at a time."""
        start = 0
        while keys := await self._redis.zrevrange(self._order, start, start + _PAGE - 1):
            for raw in await self._redis.hmget(self._records, keys):
                if raw:
                    yield json.loads(raw)
            start += _PAGE

    async def _swap(self, key: str, old: bytes, new: str) -> bool:
        return bool(await self._driver.ask(self._swapping(key, old, new)))

    def _swapping(self, key: str, old: bytes, new: str) -> ScriptCall:
        made = datetime.now(UTC).timestamp()
        return ScriptCall(_SWAP, (self._records, self._order), (key, old, new, made))


def contains(whole: Any, part: Any) -> bool:
    """Return whether JSON holds all of ``part``: objects by their keys, anything else as a whole.

    It is how clients of LangGraph's server search metadata and values.
    """
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    return same_json(whole, part)
