"""A full-text index in Redis: BM25 over stemmed words, on core commands alone.

One kind of index serves a project's documents and a conversation's turns. `TextIndex` keeps
texts under ids, finds the best ones for a query, and gives the scores of all of them to callers
that rank by more than words. `rank` does it for a few texts at hand, without Redis.
"""

from treadle.memory.textindex._analysis import Analyzer
from treadle.memory.textindex._index import Entry, Hit, IndexedText, Scores, TextIndex, VectorSpace
from treadle.memory.textindex._known import KnownIndexes
from treadle.memory.textindex._rank import rank
from treadle.memory.textindex._standard import meaning, standard

__all__ = [
    "Analyzer",
    "Entry",
    "Hit",
    "IndexedText",
    "KnownIndexes",
    "Scores",
    "TextIndex",
    "VectorSpace",
    "meaning",
    "rank",
    "standard",
]
