"""BM25 over unpacked postings.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
idf that stays above zero: ``ln(1 + (N - n + 0.5) / (n + 0.5))``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treadle.memory.textindex._scripts import SEGMENT_SIZE
from treadle.memory.textindex.records import LENGTH, Vector, unpack_postings, unpack_vectors

K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True)
class Segment:
    """What was read of one segment.

    Attributes:
        number: the segment's number; its texts are numbered from ``number * SEGMENT_SIZE``.
        lengths: the packed lengths of all its texts.
        postings: the packed postings of each term asked for, in the order asked.
        vectors: the packed vectors of all its texts, if they were asked for.
    """

    number: int
    lengths: bytes
    postings: Sequence[bytes | None]
    vectors: bytes = b""


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of every text for a query.

    Attributes:
        numbers: the texts' numbers, ascending, which is the order they were added in.
        values: their scores, in the same order; 0 where no term of the query occurs.
        vectors: their vectors as rows, if the index has a vector space; zero where not known.
    """

    numbers: NDArray[np.int64]
    values: NDArray[np.float64]
    vectors: Vector | None = None

    def best(self, k: int) -> list[tuple[int, float]]:
        """Return number and score of the best ``k`` texts that score at all, best first.

        Of equal ones, the one added first comes first.
        """
        found = np.flatnonzero(self.values > 0)
        order = np.lexsort((found, -self.values[found]))[: max(k, 0)]
        return [(int(self.numbers[at]), float(self.values[at])) for at in found[order]]


def bm25(segments: Sequence[Segment], weights: Sequence[int], dimensions: int = 0) -> Scores:
    """Score every live text.

    Args:
        segments: what was read, in ascending order.
        weights: how often each term asked for occurs in the query.
        dimensions: those of the vectors; 0 when there are none.
    """
    lengths = [np.frombuffer(segment.lengths, LENGTH) for segment in segments]
    starts = np.cumsum([0, *(len(part) for part in lengths)])
    length = np.concatenate([*lengths, np.zeros(0, LENGTH)]).astype(np.float64) - 1
    live = length >= 0
    total = int(live.sum())
    scores = np.zeros(len(length))
    average = float(length[live].mean()) if total else 0.0
    saturation = K1 * (1 - B + B * length / (average or 1.0))
    for term, weight in enumerate(weights):
        at, frequency = _occurrences(segments, starts, term, live)
        idf = np.log1p((total - len(at) + 0.5) / (len(at) + 0.5))
        scores[at] += weight * idf * frequency * (K1 + 1) / (frequency + saturation[at])
    numbers = np.concatenate(
        [
            segment.number * SEGMENT_SIZE + np.arange(len(part), dtype=np.int64)
            for segment, part in zip(segments, lengths, strict=True)
        ]
        or [np.zeros(0, np.int64)]
    )
    vectors = None
    if dimensions:
        parts = [
            unpack_vectors(segment.vectors, len(part), dimensions)
            for segment, part in zip(segments, lengths, strict=True)
        ]
        vectors = np.concatenate([*parts, np.zeros((0, dimensions), np.float32)])[live]
    return Scores(numbers[live], scores[live], vectors)


def query_weights(terms: Iterable[str], limit: int) -> dict[str, int]:
    """Count a query's terms, as far as it has ``limit`` different ones."""
    weights: dict[str, int] = {}
    for term in terms:
        weights[term] = weights.get(term, 0) + 1
        if len(weights) == limit:
            break
    return weights


def _occurrences(
    segments: Sequence[Segment], starts: NDArray[np.int64], term: int, live: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where among all texts the term occurs, and how often there."""
    places, counts = [], []
    for segment, start in zip(segments, starts, strict=False):
        records = unpack_postings(segment.postings[term])
        places.append(records["offset"].astype(np.int64) + start)
        counts.append(records["frequency"])
    at = np.concatenate([*places, np.zeros(0, np.int64)])
    frequency = np.concatenate([*counts, np.zeros(0, np.uint8)]).astype(np.float64)
    alive = live[at]
    return at[alive], frequency[alive]
