"""What is going to be stored of a thread at once."""

from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.serde.types import _DeltaSnapshot

from treadle.memory._codec import Codec
from treadle.memory.saver._bodies import Body, digest
from treadle.memory.saver._cache import ChannelName, LogCache, Seen
from treadle.memory.saver._columns import Columns
from treadle.memory.saver._intervals import NEW, Interval, cut, intervals, joined
from treadle.memory.saver._records import log_value

_INLINE = frozenset({int, float, bool, bytes, type(None)})
_FEW_INTERVALS = 16
_INTERVAL_BYTES = 10


class Draft:
    """The values of checkpoints, and the bodies they are the first to refer to.

    Args:
        codec: how values become bytes.
        log: what is known of the thread's log, or ``None``.

    Attributes:
        codec: as given.
        frames: the bodies to append, not yet sealed.
        refers: whether a value refers to a body that is in the log already.
    """

    def __init__(self, codec: Codec, log: LogCache | None) -> None:
        self.codec = codec
        self._log = log
        self._bodies: list[tuple[bytes, Body]] = []
        self._by_digest: dict[bytes, int] = {}
        self._states: dict[ChannelName, Seen] = {}
        self.frames: list[bytes] = []
        self.refers = False

    def value(self, channel: ChannelName, value: Any) -> tuple[bytes, Columns | None]:
        """Return the stored form of a channel's value, and its entries where it has any.

        Raises:
            InputError: it cannot be serialised.
        """
        entries = entries_of(value)
        if entries is None:
            return self.codec.dump(value), None
        seen = self._seen(channel)
        spans, bodies = self._located(seen, entries)
        if len(spans) >= _FEW_INTERVALS and _rent(spans) > sum(body.size for body in bodies):
            placed = [self._place(None, entry) for entry in entries]
            spans, bodies = intervals(position for position, _ in placed), [b for _, b in placed]
        columns = Columns(bodies, None if seen is None else seen.columns)
        self._states[channel] = Seen(tuple(spans), columns)
        self.refers = self.refers or any(first < NEW for first, _ in spans)
        return log_value(spans, is_delta=isinstance(value, _DeltaSnapshot)), columns

    def stored(self, log: LogCache, start: int) -> None:
        """Tell the cache that the new bodies landed at position ``start``."""
        log.add(start, self._bodies)
        shift = start - NEW
        for channel, state in self._states.items():
            landed = [(a + shift, b + shift) if a >= NEW else (a, b) for a, b in state.spans]
            log.see(channel, joined(landed), state.columns)

    def _seen(self, channel: ChannelName) -> Seen | None:
        """Return what the channel held last, here or in the log."""
        seen = self._states.get(channel)
        return self._log.seen(channel) if seen is None and self._log is not None else seen

    def _located(self, seen: Seen | None, entries: list[Any]) -> tuple[list[Interval], list[Body]]:
        """Return where the entries are in the log, or `NEW` and on for those to be appended."""
        n_same = 0 if seen is None else seen.columns.prefix(entries)
        rest = [self._locate(entry) for entry in entries[n_same:]]
        spans = intervals(position for position, _ in rest)
        bodies = [body for _, body in rest]
        if seen is None or not n_same:
            return spans, bodies
        return joined([*cut(seen.spans, n_same), *spans]), [*seen.columns.bodies[:n_same], *bodies]

    def _locate(self, entry: Any) -> tuple[int, Body]:
        known = None if self._log is None else self._log.locate(entry)
        return known or self._place(self._log, entry)

    def _place(self, log: LogCache | None, entry: Any) -> tuple[int, Body]:
        frame = self.codec.encode(entry)
        key = digest(frame)
        number = self._by_digest.get(key)
        if number is None and log is not None:
            position = log.position_of(key)
            body = None if position is None else log.body(position)
            if position is not None and body is not None:
                return position, body
        if number is None:
            number = self._by_digest[key] = len(self.frames)
            self.frames.append(frame)
            # Decoded, not copied: what the cache hands out is what any other client would read.
            self._bodies.append((key, Body.of(frame, self.codec)))
        return NEW + number, self._bodies[number][1]


def entries_of(value: Any) -> list[Any] | None:
    """Return the entries of a value that goes to the log, or ``None``.

    Lists go to the log entry by entry, and so do the snapshots of a ``DeltaChannel`` that are
    lists; lists of plain numbers are smaller as they are.
    """
    if isinstance(value, _DeltaSnapshot):
        value = value.value
    if type(value) is not list or not value or type(value[0]) in _INLINE:
        return None
    # A copy: the graph may append to its list while this runs in another thread.
    return list(value)


def _rent(spans: Sequence[Interval]) -> float:
    """Return about how many bytes the interval lists have cost since the entries lay together.

    When that is more than the entries themselves, writing those anew in one piece is the cheaper.
    Entries that were since replaced tell how many checkpoints there were; the lists grew all the
    while, so that the last is about twice the average.
    """
    known = [span for span in spans if span[0] < NEW]
    width = max((stop for _, stop in known), default=0) - min((s for s, _ in known), default=0)
    n_known = sum(stop - first for first, stop in known)
    n_replaced = max(0, width - n_known)
    return n_replaced * len(spans) * _INTERVAL_BYTES / 2
