"""What a put is going to store."""

from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.serde.types import _DeltaSnapshot

from treadle.memory.saver._bodies import Body, digest, first_difference
from treadle.memory.saver._cache import ChannelName, LogCache
from treadle.memory.saver._codec import Codec
from treadle.memory.saver._intervals import NEW, Interval, intervals
from treadle.memory.saver._records import log_value

_INLINE = frozenset({int, float, bool, bytes, type(None)})
_FEW_INTERVALS = 16
_INTERVAL_BYTES = 10


class Draft:
    """The values of a checkpoint, and the bodies they are the first to refer to.

    Args:
        codec: how values become bytes.
        log: what is known of the thread's log, or ``None``.

    Attributes:
        frames: the bodies to append, not yet sealed.
        refers: whether a value refers to a body that is in the log already.
    """

    def __init__(self, codec: Codec, log: LogCache | None) -> None:
        self._codec = codec
        self._log = log
        self._bodies: list[tuple[bytes, Body]] = []
        self._by_digest: dict[bytes, int] = {}
        self._states: list[tuple[ChannelName, list[int]]] = []
        self.frames: list[bytes] = []
        self.refers = False

    def value(self, channel: ChannelName, value: Any) -> bytes:
        """Return the stored form of a channel's value, and note the bodies it needs.

        Raises:
            InputError: it cannot be serialised.
        """
        entries = entries_of(value)
        if entries is None:
            return self._codec.dump(value)
        positions = self._positions(self._log, channel, entries)
        spans = intervals(positions)
        if len(spans) >= _FEW_INTERVALS and _rent(spans, len(positions)) > self._size(positions):
            positions = self._positions(None, channel, entries)
            spans = intervals(positions)
        self._states.append((channel, positions))
        self.refers = self.refers or any(first < NEW for first, _ in spans)
        return log_value(spans, is_delta=isinstance(value, _DeltaSnapshot))

    def stored(self, log: LogCache, start: int) -> None:
        """Tell the cache that the new bodies landed at position ``start``."""
        log.add(start, self._bodies)
        shift = start - NEW
        for channel, positions in self._states:
            log.see(channel, [p + shift if p >= NEW else p for p in positions])

    def _positions(
        self, log: LogCache | None, channel: ChannelName, entries: list[Any]
    ) -> list[int]:
        """Return where each entry is in the log, or `NEW` and on for those to be appended."""
        if log is None:
            return [self._place(None, entry) for entry in entries]
        known, bodies = log.state(channel)
        n_same = first_difference(entries, bodies)
        rest = [self._locate(log, entry) for entry in entries[n_same:]]
        return [*known[:n_same], *rest]

    def _locate(self, log: LogCache, entry: Any) -> int:
        message_id = getattr(entry, "id", None)
        if isinstance(message_id, str):
            position = log.position_of_message(message_id)
            body = None if position is None else log.body(position)
            if position is not None and body is not None and first_difference([entry], [body]):
                return position
        return self._place(log, entry)

    def _place(self, log: LogCache | None, entry: Any) -> int:
        frame = self._codec.encode(entry)
        key = digest(frame)
        position = self._by_digest.get(key)
        if position is None and log is not None:
            position = log.position_of(key)
        if position is None:
            position = self._by_digest[key] = NEW + len(self.frames)
            self.frames.append(frame)
            # Decoded, not copied: what the cache hands out is what any other client would read.
            self._bodies.append((key, Body.of(frame, self._codec)))
        return position

    def _size(self, positions: Sequence[int]) -> int:
        total = 0
        for position in positions:
            if position >= NEW:
                total += len(self.frames[position - NEW])
            elif self._log is not None and (body := self._log.body(position)) is not None:
                total += body.size
        return total


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


def _rent(spans: Sequence[Interval], n_entries: int) -> float:
    """Return about how many bytes the interval lists have cost since the entries lay together.

    When that is more than the entries themselves, writing those anew in one piece is the cheaper.
    Entries that were since replaced tell how many checkpoints there were; the lists grew all the
    while, so that the last is about twice the average.
    """
    known = [span for span in spans if span[0] < NEW]
    width = max((stop for _, stop in known), default=0) - min((s for s, _ in known), default=0)
    n_new = sum(stop - first for first, stop in spans if first >= NEW)
    n_replaced = max(0, width + n_new - n_entries)
    return n_replaced * len(spans) * _INTERVAL_BYTES / 2
