"""Words, their stems, and which of them mean nothing on their own."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer

_STEMMER = snowballstemmer.stemmer("english")

WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+(?:\+\+|#)?")
"""A word, a number or a version; ``C++`` and ``C#`` are words too."""

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")

STOPWORDS = frozenset(
    """
    a about above actually after again all also am an and any anyone anything are aren around as at
    be been before being below between both but by can cannot could couldn did didn do does doesn
    doing don down during each either else ever every few for from further get gets getting give
    gives go goes got had has have having he hello her here hers herself hey hi him himself his how
    however i if in into is isn it its itself just kindly know let ll may maybe me might more most
    much must my myself need no nor not now of off ok okay on once one only or other our ours out
    over own per please quite rather re really s same shall she should shouldn so some somebody
    someone something such t than thank thanks that the their theirs them themselves then there
    these they this those though through to too under until up upon us ve very via was wasn we well
    were weren what whatever when where whether which while who whom whose why will with within
    without won would wouldn yes yet you your yours yourself
    tell explain describe say says said show find look give define mean means meaning search
    want wondering wonder like many exactly briefly detail details simple simply short question
    der die das und ist sind war wie was wer wo wann warum welche welcher welches ein eine einen im
    den dem mit von zu auf für nicht
    le la les un une des du et est sont était qui que quoi quel quelle quand où pourquoi comment en
    dans pour pas avec
    el los las una uno y es son fue qué quién cuál cuándo dónde por cómo del
    il lo gli di che chi è sono quando dove perché come
    """.split()  # noqa: SIM905 - a list of 200 quoted words is not easier to read
)

KINDS_OF_THING = frozenset(
    """
    amount city country date day example examples kind kinds location name names number people
    person place reason reasons sort thing things time type types way ways year
    """.split()  # noqa: SIM905
)
"""Words that say what kind of answer is wanted; a good answer need not repeat them."""

_SYNONYMS = (
    "start starts started launch boot begin run",
    "stop stops stopped end terminate shutdown shut halt quit exit",
    "delete remove erase forget drop purge",
    "make create build construct develop design",
    "invent create devise",
    "found establish create start",
    "write author compose",
    "buy purchase acquire",
    "cost price expense",
    "big large size",
    "tall height high elevation",
    "long length duration",
    "old age",
    "deep depth",
    "heavy weight mass weigh",
    "fast speed quick",
    "born birth",
    "die death dead",
    "install setup installation",
    "config configure setting option",
    "error failure fail exception",
    "persist persistence durable durability survive",
    "save store keep",
    "default defaults",
    "limit maximum max most",
    "least minimum min",
    "allow permit can",
    "support work compatible run",
    "require need necessary requirement",
    "license licence",
    "file files document",
    "capital capitals",
    "citizen inhabitant resident population people",
    "live inhabit habitat reside",
    "eat diet feed food",
    "cause causes reason because",
    "difference differ unlike whereas",
    "use used usage purpose",
)


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
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(char for char in decomposed if not unicodedata.combining(char))
        if not word.isascii():
            return word
    return str(_STEMMER.stemWord(word[:40])) if len(word) > 2 else word


def _group_synonyms() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _SYNONYMS:
        stems = {stem(word) for word in line.split()}
        for one in stems:
            groups.setdefault(one, set()).update(stems - {one})
    return {one: frozenset(others) for one, others in groups.items()}


SYNONYMS = _group_synonyms()
"""For some stems, the stems that often stand for the same thing in an answer."""


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order, repeats included."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]
