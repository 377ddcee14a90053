"""Being a polite guest: one request at a time, rests after a refusal, nothing asked twice."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")
Clock = Callable[[], float]

REST_SECONDS = 60.0
"""How long a service is left alone that refused us without saying for how long."""
LONGEST_REST_SECONDS = 600.0


class NoAnswerError(Exception):
    """A service did not answer; the message says why, as ``"it ..."`` would go on.

    It is not raised when the service says that there is nothing to find.
    """


class Pacer:
    """Spreads the requests of a whole process over time, whatever thread or loop they come from."""

    def __init__(
        self,
        *,
        interval_seconds: float = 1.0,
        longest_wait_seconds: float = 5.0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Set the pace.

        Args:
            interval_seconds: the time from one request to the next.
            longest_wait_seconds: who would have to wait longer is turned away.
            clock: returns the time in seconds.
        """
        self._interval = interval_seconds
        self._longest_wait = longest_wait_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._next_turn = 0.0
        self._rest_until = 0.0

    def next_turn(self) -> float:
        """Take the next turn and return how many seconds away it is.

        Raises:
            NoAnswerError: while resting, or when too many are waiting.
        """
        with self._lock:
            now = self._clock()
            if now < self._rest_until:
                seconds = self._rest_until - now
                raise NoAnswerError(
                    f"refused us lately and is left alone for {seconds:.0f} seconds"
                )
            turn = max(now, self._next_turn)
            if turn - now > self._longest_wait:
                raise NoAnswerError("has too many of our searches waiting for it")
            self._next_turn = turn + self._interval
            return turn - now

    def rest(self, seconds: float) -> None:
        """Give no turns for that long."""
        with self._lock:
            self._rest_until = max(self._rest_until, self._clock() + seconds)


class Cache(Generic[Value]):
    """Keeps answers for a while, the least recently used going first; safe between threads."""

    def __init__(
        self, *, seconds: float = 600.0, entries: int = 256, clock: Clock = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._entries = entries
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return what is kept under a key and still fresh."""
        with self._lock:
            expires, value = self._kept.get(key, (0.0, None))
            if value is None or expires <= self._clock():
                self._kept.pop(key, None)
                return None
            self._kept.move_to_end(key)
            return value

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value under a key."""
        with self._lock:
            self._kept[key] = (self._clock() + self._seconds, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)


class Pacers:
    """A pacer for each server, shared by all that ask it in this process."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._lock = threading.Lock()
        self._made: dict[str, Pacer] = {}

    def of(self, server: str) -> Pacer:
        """Return the pacer of a server, by its name or address."""
        with self._lock:
            if server not in self._made:
                self._made[server] = Pacer(interval_seconds=self._interval)
            return self._made[server]
