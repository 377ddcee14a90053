"""Reading a run's events, from any of them on, until the run comes to its end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from treadle.runtime.events._bells import Bells
from treadle.runtime.journal import RunKeys

END = "end"
"""The name of the last event; its data holds the run's status."""
_PAGE = 200


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event of a run.

    Attributes:
        id: its place; reading can go on after it.
        name: what it is, such as ``values``, ``messages/partial`` or ``updates|<namespace>``.
        data: what it tells, as JSON.
    """

    id: str
    name: str
    data: bytes


class EventReader:
    """Reads the events of runs.

    Args:
        redis: the connection to Redis.
        bells: what rings when there is more.
    """

    def __init__(self, redis: Any, bells: Bells) -> None:
        self._redis = redis
        self._bells = bells

    async def read(self, keys: RunKeys, after: str, ended: Any) -> AsyncIterator[StreamedEvent]:
        """Yield the events after an id, as they are written, to the last.

        A reader holds one page at most, however slow it is: what it has not read waits in Redis.

        Args:
            keys: the run's keys.
            after: the id of the last event known; ``"0"`` reads from the beginning.
            ended: says, awaited, whether the run is at an end, for runs that stream nothing.
        """
        async with self._bells.on(keys.record) as bell:
            while True:
                is_over = await ended()
                page = await self._redis.xrange(keys.events, min=f"({after}", count=_PAGE)
                for id_, fields in page:
                    after = id_.decode()
                    name = fields[b"event"].decode()
                    yield StreamedEvent(after, name, fields[b"data"])
                    if name == END:
                        return
                if len(page) == _PAGE:
                    continue
                if is_over:
                    return
                await bell.wait()
