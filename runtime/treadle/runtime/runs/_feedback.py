"""What people said about a run, kept with its journal and forgotten with its thread."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from treadle.core.errors import InputError
from treadle.runtime.journal import RunKeys

MAX_FEEDBACK = 100
"""How much one run can be told."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said about a run.

    Attributes:
        key: what it is about, such as ``"helpful"``; said again by the same author it replaces
            what was said before.
        score: how good it was; ``None`` where that was not said.
        comment: in words; may be empty.
        correction: what it should have been, as JSON holds it; ``None`` where that was not said.
        author: who said it; empty for the operator.
        created: when, ISO 8601, UTC.
    """

    key: str
    score: float | None = None
    comment: str = ""
    correction: Any = None
    author: str = ""
    created: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


class FeedbackStore:
    """Keeps feedback on runs.

    Args:
        redis: the connection to Redis.
        keep: how long it is kept after it was last added to, as a run is.
    """

    def __init__(self, redis: Any, keep: timedelta) -> None:
        self._redis = redis
        self._keep = keep

    async def add(self, keys: RunKeys, given: Feedback) -> Feedback:
        """Keep feedback on a run and return it as it is kept.

        Raises:
            InputError: the run was told too much already.
        """
        kept = Feedback(**{**given.to_dict(), "created": datetime.now(UTC).isoformat()})
        field = json.dumps([kept.author, kept.key])
        is_new = not await self._redis.hexists(keys.feedback, field)
        if is_new and await self._redis.hlen(keys.feedback) >= MAX_FEEDBACK:
            raise InputError(
                f"The run {keys.run_id} has {MAX_FEEDBACK} pieces of feedback already."
            )
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.feedback, field, json.dumps(kept.to_dict()))
            pipe.pexpire(keys.feedback, max(1, int(self._keep / timedelta(milliseconds=1))))
            await pipe.execute()
        return kept

    async def all(self, keys: RunKeys) -> list[Feedback]:
        """Return the feedback on a run, oldest first."""
        found: list[Mapping[str, Any]] = [
            json.loads(one) for one in await self._redis.hvals(keys.feedback)
        ]
        return sorted((Feedback(**one) for one in found), key=lambda one: one.created)
