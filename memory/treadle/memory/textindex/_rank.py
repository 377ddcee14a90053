"""Ranking a few texts that are at hand, without an index."""

from collections.abc import Sequence

from treadle.memory.textindex._analysis import analyzer
from treadle.memory.textindex._ranking import Segment, bm25, query_weights
from treadle.memory.textindex.records import IndexedText, pack

_MAX_QUERY_TERMS = 64


def rank(query: str, texts: Sequence[str], language: str = "english") -> list[tuple[int, float]]:
    """Return position and score of the texts that share a term with the query, best first.

    The scores are those a `TextIndex` of these texts would give. Of equal texts, the one that
    comes first comes first.

    Args:
        query: words to look for.
        texts: at most 65,536 texts.
        language: the language of their words.

    Raises:
        UnknownNameError: there is no stemmer for the language.
    """
    analysis = analyzer(language)
    weights = query_weights(analysis.iter_terms(query), _MAX_QUERY_TERMS)
    batch = pack([IndexedText(str(n), text) for n, text in enumerate(texts)], analysis)
    postings = [batch.postings.get(term) for term in weights]
    scores = bm25([Segment(0, batch.lengths, postings)], list(weights.values()))
    return scores.best(len(texts))
