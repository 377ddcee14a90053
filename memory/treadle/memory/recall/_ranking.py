"""Which messages matter for a question: words and meaning, with what was said around them.

*Fusion.* The scores of both kinds are brought to one scale by their own mean and deviation over the
thread (z-scores) and added. Unlike ranks, they keep how far the best stand out: where no word is
rare or no meaning near, that side says little and the other decides (Bruch, Gai and Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval", 2023).

*Neighbours.* In a conversation the words of a question and the answer to it are often turns apart
("Where do you live now?" - "Lisbon, since May"). So a text is also given the scores of the two
before and the two after it, halved with each step away. Texts are neighbours in the order in which
they were added, so nothing has to be read but the scores: what a search costs hardly grows.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from treadle.memory.textindex import Scores, meaning, standard
from treadle.memory.textindex.records import Vector

Numbers = NDArray[np.float64]

_STEPS = (0.5, 0.25)


def ranked(scores: Scores, question: Vector | None) -> Iterator[tuple[int, float]]:
    """Yield the numbers of texts and their scores, best first; of equal ones, the newest first.

    Texts that nothing speaks for are left out; where meaning is compared, there are none.

    Args:
        scores: those of the texts by words, and their vectors where they have any.
        question: the question's vector, to compare by meaning.
    """
    if not len(scores.numbers):
        return iter(())
    if question is None or scores.vectors is None:
        smooth = _with_neighbours(scores.values)
        found = np.flatnonzero(smooth > 0)
    else:
        smooth = _with_neighbours(standard(scores.values) + meaning(scores.vectors, question))
        found = np.arange(len(smooth))
    order = found[np.lexsort((-found, -smooth[found]))]
    return zip(scores.numbers[order].tolist(), smooth[order].tolist(), strict=True)


def _with_neighbours(values: Numbers) -> Numbers:
    total = values.copy()
    for distance, share in enumerate(_STEPS, 1):
        total[distance:] += share * values[:-distance]
        total[:-distance] += share * values[distance:]
    return total
