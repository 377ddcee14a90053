"""The key terms of a question."""

import re
from dataclasses import dataclass

from treadle.agents.embedded._text import short
from treadle.agents.embedded._words import (
    has_unspaced,
    is_stopword,
    languages_of,
    placed_words,
    stem,
)

MAX_TERMS = 16
LIGHT = 0.3
"""The weight of a term that an answer need not repeat."""


@dataclass(frozen=True)
class Term:
    """A word a good answer is about.

    Attributes:
        word: as the person wrote it.
        stem: what its forms have in common.
        weight: 1 for a word of the question, less for one taken over from the turn before;
            `LIGHT` for one that an answer need not repeat.
        is_name: whether it is written as a name, a number or a piece of code.
        is_carried: whether it was taken over from the turn before.
    """

    word: str
    stem: str
    weight: float = 1.0
    is_name: bool = False
    is_carried: bool = False

    @property
    def is_strong(self) -> bool:
        """Whether an answer should speak of it."""
        return self.weight > LIGHT or self.is_name

    @property
    def is_task(self) -> bool:
        """Whether it says what to do, as "compare" does, rather than what about."""
        return self.word.lower() in _ALWAYS_LIGHT or self.word.lower() in _PLACES_TO_LOOK


_ALWAYS_LIGHT = frozenset(
    """
    thing things way ways kind kinds sort sorts example examples summarise summarize summary
    overview digest outline recap report research compare comparison difference differences versus
    vs list check read calculate compute brief called work works working happen happens happened
    use uses used using exist exists main according different possible important question answer
    news take takes took taken come comes came
    """.split()  # noqa: SIM905
)
_ORDERS = frozenset("write make create prepare produce compile draft".split())  # noqa: SIM905
_SAYS_WHAT_KIND = frozenset(
    """
    amount century city command commands country date day decade directory distance folder group
    location month name names number part people percentage person place price reason reasons
    region step steps time type types value version versions year years
    """.split()  # noqa: SIM905
)
_MEASURED = frozenset(
    """
    tall high long big large old far deep wide heavy fast often quickly hot cold small
    """.split()  # noqa: SIM905
)
_PLACES_TO_LOOK = frozenset(
    """
    wikipedia web internet online docs doc document documents documentation files notes
    """.split()  # noqa: SIM905
)
_LOOK_THERE = re.compile(
    r"\b(?:in|from|search|of|on|to|with|using)\s+(?:the |our |my |your |these )?(?:project )?$"
    r"|^\W*$"
    r"|\b(?:the|a)\s+$",
    re.IGNORECASE,
)
_TO_WHOM = re.compile(
    r"\b(?:to me )?(?:like|as if) (?:i am|i'm|i were) (?:an? )?\w+\b"
    r"|\bin (?:\w+ )?(?:short |simple )?(?:sentences?|words?|lines|paragraphs?|bullet points)\b",
    re.IGNORECASE,
)
_ASKS_KIND = re.compile(
    r"\b(?:which|what|what(?:'s| is| are| was| were) the|in which|name the)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)


def key_terms(text: str) -> tuple[Term, ...]:
    """Return what a question is about, in its own order, each word once."""
    text = _TO_WHOM.sub("", text)
    terms: list[Term] = []
    seen: dict[str, int] = {}
    begins, shouts = True, text.isupper()
    languages = languages_of(text)
    for word, place in placed_words(text):
        written = text[place : place + len(word)]
        is_name = not shouts and _is_name(text, place, written, begins)
        begins = False
        is_acronym = is_name and len(word) > 1 and written.isupper()
        is_letter = len(word) == 1 and not is_name
        one = stem(word)
        if is_letter or (is_stopword(word, languages) and not is_acronym):
            continue
        before = text[max(0, place - 40) : place]
        light = _is_place_to_look(word, before) or (not is_name and _is_light(word, before))
        term = Term(written, one, LIGHT if light else 1.0, is_name and not light)
        if one in seen:
            if term.is_strong and not terms[seen[one]].is_strong:
                terms[seen[one]] = term
            continue
        seen[one] = len(terms)
        terms.append(term)
        if len(terms) == MAX_TERMS:
            break
    return tuple(terms)


def _is_light(word: str, before: str) -> bool:
    if word in _ALWAYS_LIGHT or (word in _ORDERS and not before.strip(" ,")):
        return True
    if word in _MEASURED:
        return before.rstrip().lower().endswith("how")
    return word in _SAYS_WHAT_KIND and bool(_ASKS_KIND.search(before))


def _is_place_to_look(word: str, before: str) -> bool:
    return word in _PLACES_TO_LOOK and bool(_LOOK_THERE.search(before))


def _is_name(text: str, place: int, written: str, begins: bool) -> bool:
    if any(char.isdigit() for char in written):
        return True
    before = text[max(0, place - 3) : place].rstrip(" ")[-1:]
    if before and before in '`"\u201c_':
        return True
    return written[:1].isupper() and not begins and not (before and before in ".!?:")


_JOINS = re.compile(r"^\s+(?:(?:of|the|in|for|a|an|to|on|with|from|and|by|at)\s+)*$", re.IGNORECASE)


def phrase(text: str, terms: tuple[Term, ...]) -> str:
    """Return the strong terms with the small words that join them in the text."""
    if has_unspaced(text):
        return short(text.strip("?\uff1f\u3002 "), 60)
    strong = [term for term in terms if term.is_strong] or list(terms)
    said = ""
    end = -1
    for term in strong[:8]:
        found = re.search(rf"(?<!\w){re.escape(term.word)}(?!\w)", text[max(end, 0) :])
        if found is None:
            said = f"{said} {term.word}".strip()
            continue
        begin = max(end, 0) + found.start()
        between = text[end:begin] if end >= 0 else ""
        said += between if said and _JOINS.match(between) else (" " if said else "")
        said += term.word
        end = begin + len(term.word)
    return " ".join(said.split())
