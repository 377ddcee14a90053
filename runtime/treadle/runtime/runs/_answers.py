"""What a client was answered, kept with the run's journal and forgotten with its thread."""

import json
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from treadle.runtime.journal import RunKeys


class AnswerStore:
    """Keeps what a protocol answered, so that it can be asked for again.

    Args:
        redis: the connection to Redis.
        keep: how long it is kept after it was last added to, as a run is.
    """

    def __init__(self, redis: Any, keep: timedelta) -> None:
        self._redis = redis
        self._ttl_ms = max(1, int(keep / timedelta(milliseconds=1)))

    async def put(self, keys: RunKeys, parts: Mapping[str, Any]) -> None:
        """Keep parts of an answer, each a JSON value under its name."""
        packed = {name: zlib.compress(json.dumps(one).encode()) for name, one in parts.items()}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.answers, mapping=packed)
            pipe.pexpire(keys.answers, self._ttl_ms)
            await pipe.execute()

    async def get(self, keys: RunKeys) -> dict[str, Any]:
        """Return the parts that are kept, by their names."""
        found = await self._redis.hgetall(keys.answers)
        return {name.decode(): json.loads(zlib.decompress(one)) for name, one in found.items()}
