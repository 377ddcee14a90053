"""What a message asks: its key terms, and what sort of thing would answer it."""

import re
from dataclasses import dataclass, replace
from itertools import zip_longest

from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._terms import LIGHT, MAX_TERMS, Term, key_terms, phrase
from treadle.agents.embedded._wants import Wants, wanted

MAX_QUESTION_CHARS = 1_200


@dataclass(frozen=True)
class Question:
    """What a message asks.

    Attributes:
        text: the sentences that ask, as written; empty when none does.
        context: the rest of the message.
        terms: what the answer is about, in the order of the question.
        wants: what sort of thing would answer it.
        leans_back: whether it is only complete with what was said before.
        asks_more: whether it asks for more of what was just answered.
    """

    text: str
    context: str = ""
    terms: tuple[Term, ...] = ()
    wants: Wants = Wants.ANYTHING
    leans_back: bool = False
    asks_more: bool = False

    @property
    def own_terms(self) -> tuple[Term, ...]:
        """The terms the question itself names."""
        return tuple(term for term in self.terms if not term.is_carried)

    @property
    def subject(self) -> str:
        """What it is about, in its own words, for "I found nothing about …"."""
        return phrase(self.text, self.terms)


_ASKS = re.compile(
    r"^\W*(?:(?:and|but|so|also|then|ok|okay|now|please|hi|hello|hey|well)\b\W*)*"
    r"(?:(?:who|what|when|where|why|how|which|whose|whom|in which|in what|at what|on which|to whom"
    r"|for how|since when)\b"
    r"|(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had"
    r"|may)\s+(?:not\s+)?\w+"
    r"|(?:tell me|explain|describe|define|list|name|show|find|search|look up|give me|compare"
    r"|summari[sz]e|recap|outline|remind me|repeat|calculate|compute|work out|evaluate|convert"
    r"|i (?:want|need|would like|'d like) to know|do you know|let me know|write|translate|draft"
    r"|compose|generate|rewrite|paraphrase|proofread|report|research|investigate|check|read"
    r"|continue|go on|elaborate|say (?:that|it) again|wer|wie|warum|wann|wo|welche[rs]?|qui|que"
    r"|quand|pourquoi|comment|combien|qu\u00e9|qui\u00e9n|cu\u00e1ndo|d\u00f3nde|c\u00f3mo)\b)",
    re.IGNORECASE,
)
_ASKS_WITHIN = re.compile(
    r"\bi(?: need| want|'d like| would like) to (?:know|learn|understand|find out)\b"
    r"|\b(?:can|could) you (?:tell|show|explain|find|look|search)\b"
    r"|\b(?:tell|show) me (?:what|who|when|where|why|how|which|about|the)\b",
    re.IGNORECASE,
)
_WHEN_CLAUSE = re.compile(r"^\W*(?:when|where|while|how)(?:ever)?\b[^?]*,\s*\w", re.IGNORECASE)
_STATES = re.compile(
    r"^\W*(?:i|i'm|i\u2019m|we|my|our|the|this|that|it|he|she|they|there|these|those|remember|note"
    r"|keep in mind|you|your|from now on|please (?:remember|note)|actually|by the way|fyi|yes|no"
    r"|ok|okay|thanks|thank you|sorry|hello|hi|hey|call me)\b",
    re.IGNORECASE,
)
_TO_KEEP = re.compile(r"^\W*(?:please\s+)?(?:remember|note|keep in mind)\b", re.IGNORECASE)
_IS_A_QUESTION = ("?", "\uff1f", "\u061f")
_TRAILERS = " \"'\u201d)*_"


def asks(sentence: str) -> bool:
    """Tell whether a sentence asks for something."""
    if sentence.rstrip(_TRAILERS).endswith(_IS_A_QUESTION):
        return True
    if _ASKS_WITHIN.search(sentence):
        return True
    if _TO_KEEP.match(sentence) or _WHEN_CLAUSE.match(sentence):
        return False
    return bool(_ASKS.match(sentence)) and not sentence.rstrip().endswith("!")


def states(text: str) -> bool:
    """Tell whether a text that asks nothing tells something, rather than naming a topic."""
    if _STATES.match(text) or len(text.split()) > 8:
        return True
    return text.rstrip().endswith((".", "!", "\u3002")) and len(text.split()) > 2


def read_question(message: str, before: "Question | None" = None) -> Question:
    """Read a message; complete it with the question ``before`` it where it needs that."""
    parts = [piece for part in sentences(message) for piece in _parted(part)]
    asking = [part for part in parts if asks(part)]
    if not asking and parts and not states(message):
        asking = parts
    asked = set(asking)
    context = "\n".join(part for part in parts if part not in asked) if asking else message
    text = _shortened(" ".join(asking)).replace("\u2019", "'").strip()
    terms = key_terms(text)
    question = Question(
        text=text,
        context=context.strip(),
        terms=terms,
        wants=_wanted_by_all(asking, text, terms),
        leans_back=_leans_back(text),
        asks_more=bool(_MORE.search(text)),
    )
    return question if before is None else _completed(question, before)


def _parted(sentence: str) -> list[str]:
    """Part a question from what is told before it: "I am Ben and I need to know …"."""
    found = _ASKS_WITHIN.search(sentence)
    begin = found.start() if found else 0
    return [sentence[:begin].strip(), sentence[begin:]] if begin > 0 else [sentence]


def _wanted_by_all(asking: list[str], text: str, terms: tuple[Term, ...]) -> Wants:
    """Return what is wanted; several questions of their own want what a comparison does."""
    if 1 < len(asking) <= 4 and not any(_leans_back(part) for part in asking):
        topics = [{term.stem for term in key_terms(part) if term.is_strong} for part in asking]
        if all(topics) and not set.intersection(*topics):
            return Wants.COMPARISON
    return wanted(text, sum(term.is_strong for term in terms))


def _shortened(text: str) -> str:
    """Keep the end of a very long question: that is where it is asked."""
    if len(text) <= MAX_QUESTION_CHARS:
        return text
    return text[-MAX_QUESTION_CHARS:].partition(" ")[2] or text[-MAX_QUESTION_CHARS:]


_MORE = re.compile(
    r"^\W*(?:(?:and|please|ok|okay|can you|could you)\W+)*(?:tell me more|more detail|go on"
    r"|continue"
    r"|elaborate|explain (?:that|it|this|more|further)|expand on (?:that|it|this)|what else"
    r"|say more|more about (?:it|that|this)|anything else)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"^\W*(?:and|but|so|also|or|then|what about|how about)\b|^\W*why(?: not)?\W*$", re.IGNORECASE
)
_ONLY_ASKS = re.compile(
    r"^\W*(?:who|what|when|where|why|how|which)(?:\s+\w+){0,4}\W*$", re.IGNORECASE
)
_EMPTY_IT = re.compile(
    r"\b(?:is|was|would|does|will|did) it (?:possible|true|safe|ok|okay|better|necessary|take|cost"
    r"|make sense|matter|rain\w*|snow\w*|be (?:possible|better))\b"
    r"|\bthere (?:is|are|was|were)\b|\b(?:is|are|was|were) there\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|it's|they|them|their|theirs|he|him|his|she|hers|her|the same|the (?:former"
    r"|latter)"
    r"|that one|this one|(?:this|that|these|those)(?=\s*[?.,!]|\s*$|\s+(?:is|are|was|were|mean|work"
    r"|do|does|happen|come|apply|differ|one|ones)\b))\b",
    re.IGNORECASE,
)


def _leans_back(text: str) -> bool:
    return bool(text) and bool(_GOES_ON.match(text) or _MORE.search(text) or _has_pronoun(text))


def _has_pronoun(text: str) -> bool:
    """Tell whether a pronoun stands for something that the question does not name before it."""
    found = _PRONOUN.search(_EMPTY_IT.sub(" ", text))
    if found is None:
        return False
    named_before = [term for term in key_terms(text[: found.start()]) if term.is_name]
    return not named_before


def _completed(question: Question, before: Question) -> Question:
    """Add what the turn before was about to a question that leans on it."""
    strong = [term for term in question.terms if term.is_strong]
    bare = not strong and _ONLY_ASKS.match(question.text)
    if not question.text or not (question.leans_back or bare):
        return question
    own = {term.stem for term in question.terms}
    names = any(term.is_name for term in before.terms)
    pronoun = _has_pronoun(question.text)
    carried = [
        replace(
            term,
            weight=_carried_weight(term, names, pronoun, follower),
            is_carried=True,
        )
        for term, follower in zip_longest(before.terms, before.terms[1:])
        if term.stem not in own and not (names and term.is_carried and not term.is_name)
    ]
    wants = question.wants
    if wants is Wants.ANYTHING and not pronoun and not question.asks_more:
        wants = before.wants
    return replace(
        question,
        terms=tuple([*question.terms, *carried][:MAX_TERMS]),
        wants=Wants.OVERVIEW if question.asks_more else wants,
        leans_back=True,
    )


def _carried_weight(term: Term, names: bool, pronoun: bool, follower: Term | None) -> float:
    """Return how much a term of the turn before counts: a pronoun rather stands for a name."""
    if term.is_name:
        return 0.8
    if term.weight <= LIGHT:
        return 0.1
    qualifies_a_name = (
        follower is not None and follower.is_name and follower.is_carried == term.is_carried
    )
    if names and not qualifies_a_name:
        return 0.2 if pronoun else 0.4
    return 0.5
