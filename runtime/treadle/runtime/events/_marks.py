"""Places in a run's events, noted by who numbers what they tell: others need not count again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from treadle.memory.scripts import Script, ScriptCall, driver_of
from treadle.runtime.journal import KEEP_EVENTS_MS, RunKeys

MAX_MARKS = 1_000
"""How many places of a run are kept, the last ones."""
_MARK = Script.of((files(str(__package__)) / "lua" / "mark.lua").read_text())


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a run's events.

    Attributes:
        number: the number of the last thing that was told up to it.
        after: the id of the event it comes after.
        known: what must be known to go on telling from it: names and ids, and no more.
    """

    number: int
    after: str
    known: Mapping[str, Any]


class Marks:
    """Keeps the places of runs, beside their events and for as long.

    Args:
        redis: the connection to Redis.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._driver = driver_of(redis, "Marks")

    async def find(self, keys: RunKeys, number: int) -> Mark | None:
        """Return the last place up to a number, where one was noted."""
        found = await self._redis.zrevrangebyscore(keys.marks, number, "-inf", start=0, num=1)
        return Mark(**json.loads(found[0])) if found else None

    async def keep(self, keys: RunKeys, mark: Mark) -> None:
        """Note a place."""
        text = json.dumps({"number": mark.number, "after": mark.after, "known": mark.known})
        arguments = (mark.number, text, KEEP_EVENTS_MS, MAX_MARKS)
        await self._driver.ask(ScriptCall(_MARK, (keys.record, keys.marks), arguments))
