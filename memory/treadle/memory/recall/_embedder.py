"""Vectors of texts, from a service that may be down."""

import logging
from collections.abc import Sequence

import numpy as np
from langchain_core.embeddings import Embeddings

from treadle.core.errors import (
    BudgetExceededError,
    ModelError,
    TreadleError,
    UnboundedCallError,
)
from treadle.memory.embeddings import OpenAIEmbeddings, embeddings_named
from treadle.memory.textindex import VectorSpace
from treadle.memory.textindex.records import Vector

_log = logging.getLogger(__name__)

_DOWN = (ModelError, BudgetExceededError, UnboundedCallError)
"""What keeps a service from making vectors now, and stops nothing else."""


class Embedder:
    """Embeddings together with the name of the space that their vectors lie in.

    Args:
        embeddings: embeddings, or a name that `embeddings_named` knows.

    Raises:
        UnknownNameError, ConfigError: the name says no embeddings.
    """

    def __init__(self, embeddings: Embeddings | str) -> None:
        if isinstance(embeddings, OpenAIEmbeddings):
            self.name = embeddings.name
            self._embeddings: Embeddings = embeddings
        elif isinstance(embeddings, str):
            self.name = embeddings
            self._embeddings = embeddings_named(embeddings)
        else:
            model = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
            kind = type(embeddings).__qualname__
            self.name = f"{kind}:{model}" if isinstance(model, str) else kind
            self._embeddings = embeddings

    def space(self, vector: Vector) -> VectorSpace:
        """Return the space that a vector made here lies in."""
        return VectorSpace(self.name, len(vector))

    async def documents(self, texts: Sequence[str]) -> list[Vector] | None:
        """Return a vector for each text, or ``None`` when they cannot be made now.

        Raises:
            UserError: they can never be made as things are, such as for a missing package.
            TreadleError: the run they are made in is over.
        """
        if not texts:
            return []
        try:
            rows = await self._embeddings.aembed_documents(list(texts))
            vectors = [_unit(row) for row in rows]
            if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) != 1:
                raise ValueError(f"{len(vectors)} vectors for {len(texts)} texts")
        except Exception as problem:
            self._note(problem)
            return None
        return vectors

    async def query(self, text: str) -> Vector | None:
        """Return the vector of a question, or ``None`` when it cannot be made now.

        Raises:
            TreadleError: as `documents`.
        """
        try:
            return _unit(await self._embeddings.aembed_query(text))
        except Exception as problem:
            self._note(problem)
            return None

    def _note(self, problem: Exception) -> None:
        """Say in the log that there are no vectors; raise what is no fault of the service."""
        if isinstance(problem, TreadleError) and not isinstance(problem, _DOWN):
            raise problem
        _log.warning("The embeddings %s made no vectors: %s", self.name, problem)


def _unit(row: Sequence[float]) -> Vector:
    """Return the vector at length 1, which half precision holds whatever the provider's scale."""
    vector = np.asarray(row, np.float32)
    length = float(np.linalg.norm(vector))
    if vector.ndim != 1 or not np.isfinite(length):
        raise ValueError(f"a vector of shape {vector.shape} and length {length}")
    return vector / np.float32(length or 1.0)
