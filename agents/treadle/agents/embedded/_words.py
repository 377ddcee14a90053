"""Words, their stems, and which of them mean nothing on their own."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock

import snowballstemmer

from treadle.agents.embedded._lexicon import (
    FOREIGN_STOPWORDS,
    IRREGULAR,
    STOPWORDS,
    SYNONYM_LINES,
)

_STEMMER = snowballstemmer.stemmer("english")
_STEMMING = Lock()
"""A stemmer keeps the word it works on in itself, and calls come from several threads."""

WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+(?:\+\+|#)?")
"""A word, a number or a version; ``C++`` and ``C#`` are words too."""

UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""The characters of scripts that write no spaces between words, as a range for a pattern."""

_UNSPACED = re.compile(f"[{UNSPACED}]")

Languages = tuple[frozenset[str], ...]
"""The stopwords of the languages a text may be in."""

_ENGLISH: Languages = (STOPWORDS,)


def languages_of(text: str) -> Languages:
    """Return the stopwords to leave out of a text: English ones, or another language's too.

    The words of another language count only where they outnumber the English ones, since "die"
    and "war" mean something in English.
    """
    present = words(text[:1_000])
    english = sum(word in STOPWORDS for word in present)
    best = max(FOREIGN_STOPWORDS, key=lambda known: sum(word in known for word in present))
    return (STOPWORDS, best) if sum(word in best for word in present) > english else _ENGLISH


def is_stopword(word: str, languages: Languages = _ENGLISH) -> bool:
    """Tell whether a word in lower case means nothing on its own."""
    return any(word in known for known in languages)


def has_unspaced(text: str) -> bool:
    """Tell whether a text is written, in part, without spaces between words."""
    return bool(_UNSPACED.search(text))


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; unspaced scripts give pairs of characters."""
    return [word for word, _ in placed_words(text)]


def placed_words(text: str) -> Iterator[tuple[str, int]]:
    """Yield each word in lower case with the place where it begins."""
    for found in WORD.finditer(text):
        word = found[0].lower()
        if len(word) > 2 and not word.isascii() and _UNSPACED.search(word):
            for at in range(len(word) - 1):
                yield word[at : at + 2], found.start() + at
        else:
            yield word, found.start()


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return what a word's forms have in common, without accents."""
    word = IRREGULAR.get(word, word)
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(char for char in decomposed if not unicodedata.combining(char))
        if not word.isascii():
            return word
    if len(word) <= 2:
        return word
    with _STEMMING:
        return str(_STEMMER.stemWord(word[:40]))


def _group_synonyms() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in SYNONYM_LINES:
        stems = {stem(word) for word in line.split()}
        for one in stems:
            groups.setdefault(one, set()).update(stems - {one})
    return {one: frozenset(others) for one, others in groups.items()}


SYNONYMS = _group_synonyms()
"""For some stems, the stems that often stand for the same thing in an answer."""


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order, repeats included."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]
