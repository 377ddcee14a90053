"""What a process has read of indexes, so that a search reads only what was added since.

What an index reads for a search, the lengths of its texts, their vectors and the postings of the
query's terms, grows at its end and nowhere else, until a text is removed or given another vector.
The index then has another *epoch*, and what was known of it is read anew. So a search of a long
conversation moves as many bytes as one of a short one, however long it becomes.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from treadle.memory.textindex._ranking import Segment

_TERM_BYTES = 150  # about what Python's objects for a term and its postings take beside them


@dataclass(slots=True)
class _KnownSegment:
    """The longest of each that was read."""

    lengths: bytes = b""
    vectors: bytes = b""
    postings: dict[bytes, bytes] = field(default_factory=dict)


class KnownIndex:
    """What is known of one index in one epoch.

    Attributes:
        epoch: the epoch; empty where nothing is known.
        space: the label of the space that the vectors belong to.
        weight: about how many bytes of memory it takes.
    """

    def __init__(self, epoch: bytes = b"", space: str = "") -> None:
        self.epoch = epoch
        self.space = space
        self.weight = 0
        self._segments: dict[int, _KnownSegment] = {}

    def parts(self, terms: Sequence[bytes]) -> dict[int, Segment]:
        """Return what is known at this moment of the segments, for these terms."""
        return {
            number: Segment(
                number,
                known.lengths,
                [known.postings.get(term, b"") for term in terms],
                known.vectors,
            )
            for number, known in self._segments.items()
        }

    def learn(self, terms: Sequence[bytes], segments: Sequence[Segment]) -> None:
        """Take note of whole segments; another search may have read more of them meanwhile."""
        for segment in segments:
            known = self._segments.setdefault(segment.number, _KnownSegment())
            known.lengths = self._longer(known.lengths, segment.lengths)
            known.vectors = self._longer(known.vectors, segment.vectors)
            for term, postings in zip(terms, segment.postings, strict=True):
                if postings:
                    before = known.postings.get(term)
                    self.weight += _TERM_BYTES if before is None else 0
                    known.postings[term] = self._longer(before or b"", postings)

    def _longer(self, before: bytes, now: bytes) -> bytes:
        if len(now) <= len(before):
            return before
        self.weight += len(now) - len(before)
        return now


class KnownIndexes:
    """What is known of the indexes that were searched last. For one event loop.

    Args:
        max_bytes: about how much memory to use; an index that takes more by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._indexes: OrderedDict[str, KnownIndex] = OrderedDict()

    def of(self, key: str, space: str) -> KnownIndex:
        """Return what is known of an index and its vectors of a space; nothing, if it is not."""
        known = self._indexes.get(key)
        return known if known is not None and known.space == space else KnownIndex(space=space)

    def learn(
        self,
        key: str,
        epoch: bytes,
        space: str,
        terms: Sequence[bytes],
        segments: Sequence[Segment],
    ) -> None:
        """Take note of whole segments as they were in an epoch."""
        known = self._indexes.pop(key, None)
        if known is None or (known.epoch, known.space) != (epoch, space):
            known = KnownIndex(epoch, space)
        known.learn(terms, segments)
        self._indexes[key] = known
        total = sum(one.weight for one in self._indexes.values())
        while total > self._max_bytes:
            total -= self._indexes.popitem(last=False)[1].weight

    def forget(self, key: str) -> None:
        """Forget an index."""
        self._indexes.pop(key, None)


def joined(known: Segment | None, more: Segment) -> Segment:
    """Return a segment of what was known of it and what came behind that."""
    if known is None:
        return more
    return Segment(
        more.number,
        known.lengths + more.lengths,
        [
            (one or b"") + (rest or b"")
            for one, rest in zip(known.postings, more.postings, strict=True)
        ],
        known.vectors + more.vectors,
    )
