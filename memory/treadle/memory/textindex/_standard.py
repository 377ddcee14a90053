"""Scores of different kinds on one scale, so that they can be added."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def standard(values: Numbers) -> Numbers:
    """Return z-scores; 0, the mean, where there is no score (not a finite number)."""
    there = np.isfinite(values)
    if not there.any():
        return np.zeros(len(values))
    deviation = float(values[there].std())
    return np.where(there, (values - values[there].mean()) / (deviation or 1.0), 0.0)


def meaning(vectors: NDArray[np.float32], question: NDArray[np.float32]) -> Numbers:
    """Return how near texts are to a question, as z-scores of the cosines.

    Args:
        vectors: of unit length, one row for each text; a row of zeros for a text without one.
        question: the question's vector, of unit length.
    """
    cosines = (vectors @ question).astype(np.float64)
    return standard(np.where(vectors.any(axis=1), cosines, -np.inf))
