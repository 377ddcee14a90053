"""What a client remembers of the logs of threads, so that a turn moves only what is new.

Losing any of it costs a round trip or some serialising, never a value: positions are only used
together with the epoch they were learnt in, which Redis checks.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from treadle.memory.saver._bodies import Body
from treadle.memory.saver._columns import Columns, is_held
from treadle.memory.saver._intervals import Interval

T = TypeVar("T")
ChannelName = tuple[str, str]
"""A namespace and a channel of it."""

_OVERHEAD = 1_000  # about what Python's objects for one body take beside its bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a channel was last seen to hold.

    Attributes:
        spans: where its entries are in the log.
        columns: the entries.
    """

    spans: tuple[Interval, ...]
    columns: Columns


_EMPTY = Seen((), Columns([]))


class LogCache:
    """What is known of the log of one thread in one epoch."""

    def __init__(self, log_id: str, epoch: str) -> None:
        self.log_id = log_id
        self.epoch = epoch
        self.weight = 0
        self._bodies: dict[int, Body] = {}
        self._by_digest: dict[bytes, int] = {}
        self._by_message_id: dict[str, int] = {}
        self._held = (0, 0)
        self._seen: dict[ChannelName, Seen] = {}

    @property
    def held(self) -> tuple[int, int]:
        """A range of positions whose bodies are all known, half-open."""
        return self._held

    def add(self, first: int, bodies: Sequence[tuple[bytes, Body]]) -> None:
        """Remember the bodies from position ``first`` on, each with its digest."""
        for position, (key, body) in enumerate(bodies, start=first):
            if position not in self._bodies:
                self.weight += 2 * body.size + _OVERHEAD  # with what it is as JSON
            self._bodies[position] = body
            self._by_digest[key] = position
            if body.message_id is not None:
                self._by_message_id[body.message_id] = position
        self._hold(first, first + len(bodies))

    def _hold(self, first: int, stop: int) -> None:
        low, high = self._held
        if first <= high and stop >= low and low < high:
            low, high = min(low, first), max(high, stop)
        elif stop - first > high - low:
            low, high = first, stop
        while high in self._bodies:
            high += 1
        self._held = (low, high)

    @property
    def body(self) -> Callable[[int], Body | None]:
        """The way from a position to the body there, if it is known."""
        return self._bodies.get

    def position_of(self, key: bytes) -> int | None:
        """Return where a body with this digest is."""
        return self._by_digest.get(key)

    def locate(self, message: Any) -> tuple[int, Body] | None:
        """Return where a message is, and its body, if it is the last known with its id."""
        message_id = getattr(message, "id", None)
        position = self._by_message_id.get(message_id) if isinstance(message_id, str) else None
        body = None if position is None else self._bodies.get(position)
        if position is None or body is None or not is_held(message, body):
            return None
        return position, body

    def seen(self, channel: ChannelName) -> Seen:
        """Return what ``channel`` was last seen to hold."""
        return self._seen.get(channel, _EMPTY)

    def see(self, channel: ChannelName, spans: Sequence[Interval], columns: Columns) -> None:
        """Remember what ``channel`` holds, and where it is in the log."""
        self._seen[channel] = Seen(tuple(spans), columns)


@dataclass(frozen=True, slots=True)
class Known:
    """What a request relies on, whatever becomes of the cache before the reply.

    Attributes:
        log_id: the log, ``""`` where nothing is known; so with its ``epoch``.
        held: positions whose bodies need not be sent, half-open.
        body: the way to these bodies.
    """

    log_id: str
    epoch: str
    held: tuple[int, int]
    body: Callable[[int], Body | None]


_NOTHING = Known("", "", (0, 0), lambda _: None)


class SaverCache:
    """The log caches of the threads used last. Safe to use from many threads.

    Args:
        max_bytes: about how much memory to use. The thread used last is kept whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._total = 0
        self._logs: OrderedDict[str, LogCache] = OrderedDict()
        self._lock = threading.RLock()

    def known(self, root: str) -> Known:
        """Return what is known of a thread at this moment."""
        with self._lock:
            log = self._logs.get(root)
            return _NOTHING if log is None else Known(log.log_id, log.epoch, log.held, log.body)

    def use(self, root: str, work: Callable[[LogCache | None], T]) -> T:
        """Do ``work`` with the log cache of a thread, or ``None``, while nobody else does."""
        with self._lock:
            return work(self._logs.get(root))

    def update(self, root: str, log_id: str, epoch: str, work: Callable[[LogCache], T]) -> T:
        """Do ``work`` with the log cache of a thread in ``epoch``, made anew if it was another."""
        with self._lock:
            log = self._logs.get(root)
            if log is None or log.epoch != epoch:
                self.forget(root)
                log = self._logs[root] = LogCache(log_id, epoch)
            before = log.weight
            result = work(log)
            self._total += log.weight - before
            self._logs.move_to_end(root)
            while self._total > self._max_bytes and len(self._logs) > 1:
                self.forget(next(iter(self._logs)))
            return result

    def forget(self, root: str) -> None:
        """Forget a thread."""
        with self._lock:
            log = self._logs.pop(root, None)
            if log is not None:
                self._total -= log.weight
