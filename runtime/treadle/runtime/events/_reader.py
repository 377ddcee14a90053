"""Reading a run's events, from any of them on, until the run comes to its end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
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

    async def pages(
        self, keys: RunKeys, after: str, ended: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Sequence[StreamedEvent]]:
        """Yield the events after an id, as they are written, to the last; those that are there
        together.

        A reader holds one page at most, however slow it is: what it has not read waits in Redis. A
        run that was taken up again after an end has one end, the last.

        Args:
            keys: the run's keys.
            after: the id of the last event known; ``"0"`` reads from the beginning.
            ended: says whether the run is at an end.
        """
        async with self._bells.on(keys.record) as bell:
            while True:
                is_over = await ended()
                found = await self._redis.xrange(keys.events, min=f"({after}", count=_PAGE)
                page = [_event(id_, fields) for id_, fields in found]
                if page and page[-1].name == END and not is_over:
                    is_over = await ended()  # It came to its end between the two questions.
                is_last = is_over and len(page) < _PAGE
                last = len(page) - 1
                wanted = [e for i, e in enumerate(page) if e.name != END or (is_last and i == last)]
                if wanted:
                    yield wanted
                if page:
                    after = page[-1].id
                if is_last:
                    return
                if len(page) < _PAGE:
                    await bell.wait()

    async def latest(self, keys: RunKeys, count: int = 1) -> list[StreamedEvent]:
        """Return the latest events, the last first."""
        found = await self._redis.xrevrange(keys.events, count=count)
        return [_event(id_, fields) for id_, fields in found]


def _event(id_: bytes, fields: Mapping[bytes, bytes]) -> StreamedEvent:
    return StreamedEvent(id_.decode(), fields[b"event"].decode(), fields[b"data"])
