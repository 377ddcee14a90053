"""Answering from what the person said in the conversation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treadle.agents.embedded._conversation import Conversation
from treadle.agents.embedded._fit import MUST_FIT, holds
from treadle.agents.embedded._history import from_history
from treadle.agents.embedded._question import Question, asks
from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._terms import phrase
from treadle.agents.embedded._text import short
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import SYNONYMS, content_stems, stem, words

_MY_WORDS = re.compile(
    r"\b(?:did|have|had) i (?:\w+ )?(?:sa[iy]d?|tell|told|mention(?:ed)?|ask(?:ed)?|wr[io]te?"
    r"|call(?:ed)?|described?|given?|noted?)\b|\bi (?:\w+ )?(?:said|told you|mentioned|wrote"
    r"|asked)\b"
    r"|\bremind me\b|\b(?:as|like) i said\b"
    r"|\bdo you (?:still )?(?:remember|recall|know) (?:what |which |where |when |who |how )?"
    r"(?:my|i|our|we)\b",
    re.IGNORECASE,
)
_ABOUT_ME = re.compile(r"\b(?:my|mine|our|ours|i|i'm|we|me|us)\b", re.IGNORECASE)
_ADVICE = re.compile(
    r"\b(?:how|why)\b[^.?!]{0,40}\b(?:do|does|did|am|are|can|could|should|must|would"
    r"|will)\s+(?:i|we)\b"
    r"|\b(?:can|could|should|must|would|may|might|shall|need)\s+(?:i|we)\b"
    r"|^\W*(?:can|could|should|may|must|do|would|shall) (?:i|we)\b"
    r"|\b(?:help|tell|show|give|let) (?:me|us)\b|\bi (?:want|need|would like)\b",
    re.IGNORECASE,
)
_MY_DOING = re.compile(
    r"(?<!how )\b(?:do|does|am|was|did|have|are|were|will)\s+(?:i|we)\s+"
    r"(?:(?:actually|currently|usually|still|now|really|normally|always|plan to|want to)\s+)?"
    r"(?:us(?:e|ed|ing)"
    r"|run(?:ning)?|deploy(?:ed|ing)?|plan(?:ned|ning)?|work(?:ing)?|liv(?:e|ing)|like|prefer|want"
    r"|own|study(?:ing)?|going|build(?:ing)?|drive|eat|buy|choose|chose|chosen|decided?)\b"
    r"|\b(?:who|how old|where) am i\b",
    re.IGNORECASE,
)
_MY_OWN = re.compile(
    r"^\W*(?:and |so )?(?:what(?:'s| is| was| are)|who(?: is|'s)|where(?: is| are)"
    r"|when(?: is|'s)|how (?:old|many|big) (?:is|are)) (?:my|our)\b",
    re.IGNORECASE,
)
_NAME_ASKED = re.compile(
    r"\bmy (?:own |first |last |full )?name\b|\bwho am i\b|\bwhat am i called\b", re.IGNORECASE
)
_NAME_TOLD = re.compile(
    r"\b(?:[Mm]y name(?: is|['\u2019]s)|I am|I['\u2019]m|[Cc]all me|[Tt]his is)"
    r" (?:called )?([A-Z][\w'\u2019-]+)"
)
_NO_FACTS = frozenset(
    {Wants.PROCEDURE, Wants.REASON, Wants.OVERVIEW, Wants.COMPARISON, Wants.DEFINITION}
)
"""What the mention of something does not answer: "I deploy on Valkey" does not say how."""


@dataclass(frozen=True)
class Quote:
    """A sentence of the conversation.

    Attributes:
        text: the sentence.
        speaker: ``"You said"`` or ``"I have noted"``.
        turn: the number of its turn; -1 for a note from before.
        is_beside: whether it stands in the same message as the question.
    """

    text: str
    speaker: str
    turn: int
    is_beside: bool = False


def recall(question: Question, conversation: Conversation) -> str:
    """Return the answer the conversation holds, or nothing when it must come from elsewhere."""
    if not question.text:
        return ""
    return from_history(question, conversation) or _told(question, conversation)


def _told(question: Question, conversation: Conversation) -> str:
    text = question.text
    asks_for_words = bool(_MY_WORDS.search(text))
    is_private = bool(_MY_OWN.search(text) or _MY_DOING.search(text) or _NAME_ASKED.search(text))
    quotes = list(_statements(question, conversation))
    needed = 1.0
    if asks_for_words or is_private:
        needed = 0.34
    elif _ABOUT_ME.search(text) and not _ADVICE.search(text):
        needed = 0.5
    is_yes_or_no = bool(re.match(r"\W*(?:did|have) i\b", text, re.IGNORECASE))
    if best := _quotes_about(question, quotes, needed):
        said = " ".join(f"{quote.speaker}: “{short(quote.text, 300)}”" for quote in best)
        return f"Yes. {said}" if is_yes_or_no else said
    if asks_for_words or is_private:
        return ("No. " if is_yes_or_no else "") + _not_told(question, quotes)
    return ""


def _quotes_about(question: Question, quotes: Sequence[Quote], least: float) -> list[Quote]:
    """Return what was said about the question, the best and latest first; at most two.

    Args:
        question: the question.
        quotes: what was said.
        least: the share of the question's words that a quote must hold, from 0 to 1; at 1 it
            must be more than one word, hold the sort of thing that is asked for, or stand beside
            the question.
    """
    if _NAME_ASKED.search(question.text):
        named = [quote for quote in quotes if _NAME_TOLD.search(quote.text)]
        if named:
            return [named[-1]]
    is_definite = bool(_DEFINITE.search(question.text))
    if least == 1.0 and question.wants in _NO_FACTS and not is_definite:
        return []
    terms = {term.stem for term in question.own_terms} - _SAYING
    kinds = _kind_asked_for(question)
    needed = terms - kinds or terms
    if not needed:
        return []
    fits_only_some = question.wants in MUST_FIT
    asked = frozenset(words(question.text))
    rated: list[tuple[float, int, int, Quote]] = []
    for place, quote in enumerate(quotes):
        stems = set(content_stems(quote.text))
        met = {one for one in needed if one in stems or SYNONYMS.get(one, frozenset()) & stems}
        if not met or stems <= terms:
            continue
        if len(met) < (1.0 if quote.is_beside else least) * len(needed):
            continue
        is_typed = fits_only_some and holds(question, quote.text, asked)
        is_typed = is_typed or _says_what_it_is(quote.text, needed)
        if least < 1.0 or len(met) > 1 or is_typed or quote.is_beside:
            rated.append((len(met) + 0.5 * len(stems & kinds), quote.turn, place, quote))
    rated.sort(key=lambda one: one[:3], reverse=True)
    best = {quote.text: quote for rating, _, _, quote in rated if rating == rated[0][0]}
    return list(best.values())[:2]


_SAYING = {
    stem(word)
    for word in """say said told mention ask remember recall remind earlier before previously
    write wrote tell know""".split()  # noqa: SIM905
}
_KIND = re.compile(r"\b(?:which|what) ((?:[a-z]+ )?[a-z]+)\b", re.IGNORECASE)


def _kind_asked_for(question: Question) -> set[str]:
    """Return the stems that say what kind of thing is asked for, such as "which database"."""
    kinds = {term.stem for term in question.own_terms if not term.is_strong}
    for found in _KIND.finditer(question.text):
        kinds.update(content_stems(found[1]))
    return kinds


_DEFINITE = re.compile(r"^\W*(?:and )?what(?:'s| is| was| are| were) (?:the|our)\b", re.IGNORECASE)
_SAYS_IT_IS = re.compile(
    r"\b(?:the|my|our) ((?:\w+ ){0,2}\w+) (?:is|are|was|were|will be)\b", re.IGNORECASE
)


def _says_what_it_is(said: str, needed: set[str]) -> bool:
    """Tell whether a sentence says what the thing is: "the deadline is Friday"."""
    return any(needed <= set(content_stems(found[1])) for found in _SAYS_IT_IS.finditer(said))


def _statements(question: Question, conversation: Conversation) -> Iterator[Quote]:
    """Yield what the person stated, oldest first."""
    for note in conversation.notes:
        yield Quote(note, "I have noted", -1)
    for number, turn in enumerate(conversation.turns):
        for sentence in sentences(turn.said):
            if not asks(sentence):
                yield Quote(sentence, "You said", number)
    for sentence in sentences(question.context):
        yield Quote(sentence, "You said", len(conversation.turns), is_beside=True)


def _not_told(question: Question, quotes: Sequence[Quote]) -> str:
    topic = tuple(term for term in question.own_terms if term.stem not in _SAYING)
    about = f" about “{phrase(question.text, topic)}”" if topic else ""
    said = f"I found nothing{about} in what you have told me in this conversation."
    latest = [quote for quote in quotes if quote.speaker == "You said"][-3:]
    if not latest:
        return said
    told = " ".join(f"“{short(quote.text, 200)}”" for quote in latest)
    return f"{said} What you did tell me: {told}"
