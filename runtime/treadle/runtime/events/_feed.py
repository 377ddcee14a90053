"""What a run streams, handed to readers in the process that executes it."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from treadle.runtime.events._bells import Bell
from treadle.runtime.runs import Run, StreamedEvent

MAX_EVENTS, MAX_BYTES = 2_000, 256 * 1_024
"""How much a feed holds for readers who are behind; Redis has the rest."""
PAGE = 200
"""How many events a reader gets at once."""
_Place = tuple[int, int]


class Feed:
    """The events of the first attempt of a run, from when Redis has them until the attempt is over.

    A reader of the same process needs neither a subscription nor Redis for what is here; what was
    left behind, and what comes after an attempt that did not end the run, it reads from Redis.

    Args:
        ring: wakes readers.
        over: is called when nothing comes any more.

    Attributes:
        ended: the run as its attempt left it; ``None`` where it did not bring it to an end.
        is_over: whether nothing comes any more.
    """

    def __init__(
        self, ring: Callable[[set[Bell]], None], over: Callable[[], object] = lambda: None
    ) -> None:
        self._ring = ring
        self._over = over
        self._bells: set[Bell] = set()
        self._events: list[StreamedEvent] = []
        self._places: list[_Place] = []
        self._bytes = 0
        self._left_behind: _Place = (0, 0)
        self.ended: Run | None = None
        self.is_over = False

    @contextmanager
    def heard(self) -> Iterator[Bell]:
        """Give a bell that rings when there is more, or when it is over."""
        bell = Bell()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def add(self, events: Sequence[StreamedEvent]) -> None:
        """Hand on events that Redis has."""
        if self.is_over:
            return
        self._events += events
        self._places += [_place(event.id) for event in events]
        self._bytes += sum(len(event.data) for event in events)
        if self._bytes > MAX_BYTES or len(self._events) > MAX_EVENTS:
            self._leave_behind()
        self._ring(self._bells)

    def begin(self, told: StreamedEvent | None) -> None:
        """Hand on the first event; where it is not known, nothing that follows can be."""
        if told is None:
            self.close()
        else:
            self.add([told])

    def _leave_behind(self) -> None:
        """Let the oldest go, down to half: going one by one, each would move all the others."""
        gone, left = 0, len(self._events)
        while left > 1 and (left > MAX_EVENTS // 2 or self._bytes > MAX_BYTES // 2):
            self._bytes -= len(self._events[gone].data)
            gone, left = gone + 1, left - 1
        if gone:
            self._left_behind = self._places[gone - 1]
            del self._events[:gone], self._places[:gone]

    def after(self, id_: str) -> Sequence[StreamedEvent] | None:
        """Return a page of what comes after an event; ``None`` where only Redis has the next."""
        place = _place(id_)
        if place < self._left_behind:
            return None
        first = bisect_right(self._places, place)
        return self._events[first : first + PAGE]

    def latest(self, count: int) -> Sequence[StreamedEvent] | None:
        """Return the latest events, the last first; ``None`` where Redis has more of them."""
        if len(self._events) < count and self._left_behind > (0, 0):
            return None
        return self._events[: -count - 1 : -1]

    async def outcome(self) -> Run | None:
        """Wait until it is over, and return ``ended``."""
        with self.heard() as bell:
            while not self.is_over:
                await bell.wait()
        return self.ended

    def end(self, run: Run, events: Sequence[StreamedEvent]) -> None:
        """Hand on the last events, and the run as it is now."""
        self.add(events)
        self.ended = run
        self.close()

    def close(self) -> None:
        """Say that nothing comes any more; whoever wants to know how it goes on reads Redis."""
        if not self.is_over:
            self.is_over = True
            self._ring(self._bells)
            self._over()


def _place(id_: str) -> _Place:
    ms, _, number = id_.partition("-")
    return int(ms), int(number or 0)
