"""From a text to the terms it is found by."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer

from treadle.core.errors import UnknownNameError
from treadle.memory.textindex._stop_words import STOP_WORDS

VERSION = 1
"""Raised whenever the same text would give other terms: an index made before must be made anew."""

LONGEST_TERM = 64
CACHED_TOKENS = 65_536

# Python's \w leaves out the vowel signs and accents that many scripts write inside words.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f"
    "\u0900-\u0963\u0966-\u0dff\u0e00-\u0eff\u1000-\u109f"
)
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without spaces
_TOKEN = re.compile(rf"[\w{_MARKS}]+(?:[.'\-][\w{_MARKS}]+)*")
_UNSPACED_RUN = re.compile(rf"([{_UNSPACED}]+)")
_JOINTS = re.compile(r"[._'\-]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_APOSTROPHES = str.maketrans("\u2019\u02bc\u2010\u2011", "''--")
_ACCENTS = re.compile("[\u0300-\u036f]+")


class Analyzer:
    """Turns a text into terms, in one language.

    Words are casefolded, freed of stop words and accents, and stemmed. A compound such as
    ``RedisSaver``, ``snake_case``, ``read-only`` or ``foo.bar`` gives its parts and itself,
    whichever way it is joined. Chinese and Japanese, which put no spaces between words, give
    pairs of neighbouring characters.

    Attributes:
        language: the language of the stemmer and the stop words.
        name: what an index remembers, so that it is not searched by another analyzer.

    Raises:
        UnknownNameError: there is no stemmer for the language.
    """

    def __init__(self, language: str = "english") -> None:
        known = snowballstemmer.algorithms()
        if language not in known:
            raise UnknownNameError("language", language, known)
        self.language = language
        self.name = f"{language}/{VERSION}"
        self._stemmer = snowballstemmer.stemmer(language)
        self._stemming = threading.Lock()
        self._stop_words = STOP_WORDS.get(language, frozenset())
        # Elsewhere accents are letters that the stemmer needs to see.
        self._folds_first = language == "english"
        self._terms_of = lru_cache(maxsize=CACHED_TOKENS)(self._analyse_token)

    def terms(self, text: str) -> list[str]:
        """Return the text's terms in order, each as often as it occurs."""
        return list(self.iter_terms(text))

    def iter_terms(self, text: str) -> Iterator[str]:
        """Give the text's terms as `terms` does, analysing no more of it than is asked for."""
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
        for token in _TOKEN.finditer(text):
            yield from self._terms_of(token[0])

    def _analyse_token(self, token: str) -> tuple[str, ...]:
        if _UNSPACED_RUN.search(token):
            return tuple(self._unspaced(token))
        return tuple(self._compound(token))

    def _unspaced(self, token: str) -> Iterator[str]:
        for run in _UNSPACED_RUN.split(token):
            if not _UNSPACED_RUN.match(run):
                yield from self._compound(run)
            elif len(run) == 1:
                yield run
            else:
                yield from (run[at : at + 2] for at in range(len(run) - 1))

    def _compound(self, token: str) -> Iterator[str]:
        parts = [part for part in _JOINTS.split(token) if part]
        for part in parts:
            yield from self._word(part.casefold()[:LONGEST_TERM])
        # An apostrophe joins a word and its ending, not the parts of a name.
        if len(parts) > 1 and "'" not in token:
            yield re.sub(r"[_\-]", "", token).casefold()[:LONGEST_TERM]

    def _word(self, word: str) -> Iterator[str]:
        if self._folds_first:
            word = _without_accents(word)
        if word in self._stop_words:
            return
        with self._stemming:  # a stemmer keeps the word it is working on
            stem = self._stemmer.stemWord(word)
        if folded := _without_accents(stem):
            yield folded


@lru_cache
def analyzer(language: str) -> Analyzer:
    """Return the process's one analyzer of the language, with its cache."""
    return Analyzer(language)


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare)
