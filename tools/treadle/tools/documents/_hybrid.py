"""A collection whose passages are found by their words and by their meaning.

The scores of both kinds are brought to one scale by their own mean and deviation over the
collection (z-scores) and added in equal parts: Bruch, Gai and Ingber, "An Analysis of Fusion
Functions for Hybrid Retrieval", 2023.
"""

from collections.abc import Callable

import numpy as np

from treadle.memory.recall import Embedder
from treadle.memory.textindex import Hit, Scores, TextIndex, VectorSpace, meaning, standard
from treadle.tools.documents._collection import RedisCollection, only

PASSAGES_PER_EMBEDDING = 64
WORDS_SHARE = 0.5
"""How much of a passage's score is that of its words; the rest is that of its meaning."""


class HybridCollection(RedisCollection):
    """Passages in Redis with vectors beside them.

    Files are kept without vectors first, so that they are found by their words at once; `complete`
    then makes the vectors that are missing, and goes on where it was interrupted.

    Args:
        index_in: makes the index, given what its vectors mean.
        embedder: makes the vectors.
    """

    def __init__(
        self, index_in: Callable[[VectorSpace | None], TextIndex], embedder: Embedder
    ) -> None:
        super().__init__(index_in(None))
        self._index_in = index_in
        self._embedder = embedder

    async def complete(self) -> int:
        """Make the vectors that are missing.

        Returns:
            how many passages have none all the same, because the embeddings failed.

        Raises:
            UserError: the embeddings cannot be used as things are, such as for a missing package.
        """
        if not await self.count():
            return 0
        sample = await self._embedder.query("passage")
        if sample is None:
            return await self.count()
        index = self._index_in(self._embedder.space(sample))
        missing = _without_vector(await index.scores(""))
        for start in range(0, len(missing), PASSAGES_PER_EMBEDDING):
            if not await self._embed(index, missing[start : start + PASSAGES_PER_EMBEDDING]):
                return len(missing) - start
        return 0

    async def _embed(self, index: TextIndex, numbers: list[int]) -> bool:
        hits = await index.fetch([(number, 0.0) for number in numbers])
        vectors = await self._embedder.documents([f"{hit.context}\n{hit.text}" for hit in hits])
        if vectors is None:
            return False
        await index.fill(dict(zip((hit.number for hit in hits), vectors, strict=True)))
        return True

    async def search(self, query: str, k: int, files: set[str] | None = None) -> list[Hit]:
        """Return the passages that fit best; by their words alone where the embeddings fail."""
        question = await self._embedder.query(query)
        if question is None:
            return await super().search(query, k, files)
        index = self._index_in(self._embedder.space(question))
        scores = await index.scores(query)
        if scores.vectors is None or not scores.vectors.any():
            return await super().search(query, k, files)
        has_vector = scores.vectors.any(axis=1)
        near = meaning(scores.vectors, question)
        fused = WORDS_SHARE * standard(scores.values) + (1 - WORDS_SHARE) * near
        # Above 0 all of it: a passage without a score of either kind is no worse than chosen last.
        values = np.where(has_vector | (scores.values > 0), fused - fused.min() + 1e-9, 0.0)
        ranked = Scores(scores.numbers, values)
        if files is not None:
            ranked = only(ranked, list((await index.entries(files)).values()))
        return await index.fetch(ranked.best(k))


def _without_vector(scores: Scores) -> list[int]:
    if scores.vectors is None:
        return []
    return [int(number) for number in scores.numbers[~scores.vectors.any(axis=1)]]
