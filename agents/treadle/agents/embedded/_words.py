"""Words, their stems, and which of them mean nothing on their own."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer

_STEMMER = snowballstemmer.stemmer("english")

WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+(?:\+\+|#)?")
"""A word, a number or a version; ``C++`` and ``C#`` are words too."""

UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""The characters of scripts that write no spaces between words, as a range for a pattern."""

_UNSPACED = re.compile(f"[{UNSPACED}]")

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
    """.split()  # noqa: SIM905 - a list of 200 quoted words is not easier to read
)

_FOREIGN_STOPWORDS = (
    frozenset(
        """
        der die das und ist sind war waren wie was wer wo wann warum welche welcher welches ein eine
        einen einem im den dem des mit von zu zum zur auf für nicht ich du er sie es wir ihr bitte
        kann man hat haben wird werden über bei nach aus
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        le la les un une des du de et est sont était qui que quoi quel quelle quels quelles quand où
        pourquoi comment en dans pour pas avec sur je tu il elle nous vous ce cette au aux se a l d
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        el la los las un una uno unos y es son fue qué quién cuál cuáles cuándo dónde por cómo del de
        en con para no se su al lo que a me mi
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        il lo la gli le i di che chi è sono quando dove perché come un una e del della dei per con
        non si a da in nel qual quale
        """.split()  # noqa: SIM905
    ),
)
"""German, French, Spanish and Italian."""


_SYNONYMS = (
    "start starts started launch boot begin run",
    "stop stops stopped end terminate shutdown shut halt quit exit",
    "delete remove erase forget drop purge",
    "make create build construct develop design write define",
    "invent create devise patent",
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
    "support work compatible",
    "require need necessary requirement",
    "license licence",
    "file files document",
    "citizen inhabitant resident population people",
    "live inhabit habitat reside",
    "eat diet feed food",
    "cause causes reason because",
    "difference differ unlike whereas",
    "use used usage purpose",
)


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
    best = max(_FOREIGN_STOPWORDS, key=lambda known: sum(word in known for word in present))
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


IRREGULAR = {
    form: base
    for base, *forms in (
        line.split()
        for line in [
            "be been",
            "become became",
            "begin began begun",
            "break broke broken",
            "bring brought",
            "build built",
            "buy bought",
            "catch caught",
            "choose chose chosen",
            "come came",
            "cut cutting",
            "draw drew drawn",
            "drive drove driven",
            "eat ate eaten",
            "fall fell fallen",
            "feel felt",
            "fight fought",
            "fly flew flown",
            "forget forgot forgotten",
            "freeze froze frozen",
            "go went gone",
            "grow grew grown",
            "hold held",
            "keep kept",
            "know knew known",
            "lead led",
            "leave left",
            "lose lost",
            "make made",
            "mean meant",
            "meet met",
            "pay paid",
            "ride rode ridden",
            "rise rose risen",
            "run ran",
            "sell sold",
            "send sent",
            "show shown",
            "shrink shrank shrunk",
            "sing sang sung",
            "sink sank sunk",
            "sleep slept",
            "speak spoke spoken",
            "spend spent",
            "stand stood",
            "steal stole stolen",
            "swim swam",
            "take took taken",
            "teach taught",
            "tell told",
            "think thought",
            "throw threw thrown",
            "understand understood",
            "wear wore worn",
            "win won",
            "write wrote written",
            "child children",
            "person people",
            "man men",
            "woman women",
            "mouse mice",
            "foot feet",
            "tooth teeth",
            "wolf wolves",
            "life lives",
            "index indices indexes",
            "datum data",
        ]
    )
    for form in forms
}
"""Forms that no rule leads back to their base."""


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return what a word's forms have in common, without accents."""
    word = IRREGULAR.get(word, word)
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
