"""Which messages matter for a question: words and meaning, with what was said around them.

*Fusion.* The scores of both kinds are brought to one scale by their own mean and deviation over the
thread (z-scores) and added. Unlike ranks, they keep how far the best stand out: where no word is
rare or no meaning near, that side says little and the other decides (Bruch, Gai and Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval", 2023).

*Neighbours.* In a conversation the words of a question and the answer to it are often turns apart
("Where do you live now?" - "Lisbon, since May"). So a message is also given the scores of the two
before and the two after it, halved with each step away.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from treadle.memory.textindex import Entry, Scores
from treadle.memory.textindex._records import Vector

Numbers = NDArray[np.float64]

PLACE = "place"
"""In an id's note: where in the conversation it was first said, when it was edited since."""

_STEPS = (0.5, 0.25)


def place_of(entry: Entry) -> int:
    """Return where in the conversation a message stands."""
    return int(entry.note.get(PLACE, entry.first))


def ranked(
    entries: Mapping[str, Entry], scores: Scores, question: Vector | None
) -> list[tuple[str, float]]:
    """Return the ids of messages and their scores, best first; of equal ones, the newest first.

    Messages that nothing speaks for are left out; where meaning is compared, there are none.

    Args:
        entries: the thread's messages.
        scores: those of their texts by words, and their vectors where they have any.
        question: the question's vector, to compare by meaning.
    """
    held = sorted(
        ((id_, entry) for id_, entry in entries.items() if entry.texts),
        key=lambda item: place_of(item[1]),
    )
    if not held:
        return []
    owners, known = _owners([entry for _, entry in held], scores.numbers)
    values = _best(owners, scores.values[known], len(held))
    if question is None or scores.vectors is None:
        smooth = _with_neighbours(values)
        found = np.flatnonzero(smooth > 0)
    else:
        smooth = _with_neighbours(
            _standard(values) + _meaning(owners, len(held), scores.vectors[known], question)
        )
        found = np.arange(len(held))
    order = found[np.lexsort((-found, -smooth[found]))]
    return [(held[at][0], float(smooth[at])) for at in order]


def _owners(
    held: list[Entry], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return whose each text is, as far as it is known whose."""
    firsts = np.array([entry.first for entry in held])
    counts = np.array([entry.texts for entry in held])
    order = np.argsort(firsts)
    at = np.searchsorted(firsts[order], numbers, "right") - 1
    owners = order[np.maximum(at, 0)]
    known = (at >= 0) & (numbers < firsts[owners] + counts[owners])
    return owners[known], known


def _best(owners: NDArray[np.int64], values: Numbers, count: int) -> Numbers:
    """Return for each message the best score of its texts."""
    best = np.full(count, -np.inf)
    np.maximum.at(best, owners, values)
    return np.where(np.isfinite(best), best, 0.0)


def _meaning(
    owners: NDArray[np.int64],
    count: int,
    vectors: Vector,
    question: Vector,
) -> Numbers:
    have = vectors.any(axis=1)
    cosines = (vectors @ question).astype(np.float64)
    best = np.full(count, -np.inf)
    np.maximum.at(best, owners[have], cosines[have])
    return _standard(best)


def _standard(values: Numbers) -> Numbers:
    """Return z-scores; 0, the mean, where there is no score."""
    there = np.isfinite(values)
    if not there.any():
        return np.zeros(len(values))
    deviation = float(values[there].std())
    return np.where(there, (values - values[there].mean()) / (deviation or 1.0), 0.0)


def _with_neighbours(values: Numbers) -> Numbers:
    total = values.copy()
    for distance, share in enumerate(_STEPS, 1):
        total[distance:] += share * values[:-distance]
        total[:-distance] += share * values[distance:]
    return total
