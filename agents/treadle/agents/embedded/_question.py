"""What a message asks: its kind, its key terms, and what sort of thing would answer it."""

import re
from dataclasses import dataclass, replace
from enum import Enum

from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._words import KINDS_OF_THING, STOPWORDS, placed_words, stem

MAX_TERMS = 16
MAX_QUESTION_CHARS = 1_200


class Wants(Enum):
    """What sort of thing would answer a question."""

    DEFINITION = "what something is"
    PERSON = "a person or a maker"
    TIME = "a time"
    NUMBER = "a number"
    PLACE = "a place"
    REASON = "a reason"
    PROCEDURE = "how something is done"
    LIST = "a list"
    COMPARISON = "a comparison"
    OVERVIEW = "an overview"
    ANYTHING = "a fact"


@dataclass(frozen=True)
class Term:
    """A word a good answer is about.

    Attributes:
        word: as the person wrote it.
        stem: what its forms have in common.
        weight: 1 for a word of the question, less for one taken over from the turn before or
            one that an answer need not repeat.
        is_name: whether it is written as a name, a number or a piece of code.
        is_carried: whether it was taken over from the turn before.
    """

    word: str
    stem: str
    weight: float = 1.0
    is_name: bool = False
    is_carried: bool = False


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
        terms = [t for t in self.terms if t.weight > 0.3] or list(self.terms)
        return " ".join(term.word for term in terms[:8])


_ASKS = re.compile(
    r"^\W*(?:(?:and|but|so|also|then|ok|okay|now|please|hi|hello|hey|well)\b\W*)*"
    r"(?:(?:who|what|when|where|why|how|which|whose|whom|in which|in what|at what|on which|to whom"
    r"|for how|since when)\b"
    r"|(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|may)\s+(?:not\s+)?\w+"
    r"|(?:tell me|explain|describe|define|list|name|show|find|search|look up|give me|compare"
    r"|summari[sz]e|recap|outline|remind me|repeat|calculate|compute|work out|evaluate|convert"
    r"|i (?:want|need|would like|'d like) to know|do you know|let me know|write|translate|draft"
    r"|compose|generate|rewrite|paraphrase|proofread|report|research|investigate|check|read)\b)",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"^\W*(?:i|i'm|i’m|we|my|our|the|this|that|it|he|she|they|there|these|those|remember|note"
    r"|keep in mind|you|your|from now on|please (?:remember|note)|actually|by the way|fyi|yes|no"
    r"|ok|okay|thanks|thank you|sorry|hello|hi|hey)\b",
    re.IGNORECASE,
)


def asks(sentence: str) -> bool:
    """Tell whether a sentence asks for something."""
    if sentence.rstrip(" \"'”)*_").endswith(("?", "？", "؟")):
        return True
    if re.match(r"^\W*(?:please\s+)?(?:remember|note|keep in mind)\b", sentence, re.IGNORECASE):
        return False
    return bool(_ASKS.match(sentence)) and not sentence.rstrip().endswith("!")


def states(text: str) -> bool:
    """Tell whether a text that asks nothing tells something, rather than naming a topic."""
    if _STATES.match(text) or len(text.split()) > 8:
        return True
    return text.rstrip().endswith((".", "!", "。")) and len(text.split()) > 2


def read_question(message: str, before: "Question | None" = None) -> Question:
    """Read a message; complete it with the question ``before`` it where it needs that."""
    parts = sentences(message)
    asking = [part for part in parts if asks(part)]
    if not asking and parts and not states(message):
        asking = parts
    text = " ".join(asking)
    if len(text) > MAX_QUESTION_CHARS:
        text = text[:MAX_QUESTION_CHARS].rsplit(" ", 1)[0]
    context = "\n".join(part for part in parts if part not in asking) if asking else message
    wants = _wants(text)
    question = Question(
        text=text.strip(),
        context=context.strip(),
        terms=_terms(text, wants),
        wants=wants,
        leans_back=_leans_back(text),
        asks_more=bool(_MORE.search(text)),
    )
    return _completed(question, before)


_MORE = re.compile(
    r"^\W*(?:(?:and|please|ok|okay|can you|could you)\W+)*(?:tell me more|more detail|go on|continue"
    r"|elaborate|explain (?:that|it|this|more|further)|expand on (?:that|it|this)|what else"
    r"|say more|more about (?:it|that|this)|anything else)\b",
    re.IGNORECASE,
)
_BEGINS_MIDWAY = re.compile(
    r"^\W*(?:and|but|so|also|or|then|what about|how about|why|why not|how so|since when|how come"
    r"|really|where|when|who|how)\b\W*(?:\?|$|(?:what|how|about)?\s*\w+(?:\W+\w+){0,5}\W*$)",
    re.IGNORECASE,
)
_CONJUNCTION = re.compile(r"^\W*(?:and|but|so|also|or|then|what about|how about)\b", re.IGNORECASE)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|would|does|will|did) it (?:possible|true|safe|ok|okay|better|necessary|take|cost"
    r"|make sense|matter|mean|rain\w*|snow\w*|be (?:possible|better))\b|\bthere (?:is|are|was|were)\b"
    r"|\b(?:is|are|was|were) there\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|it's|they|them|their|theirs|he|him|his|she|hers|her|the same|the (?:former|latter)"
    r"|that one|this one|(?:this|that|these|those)(?=\s*[?.,!]|\s*$|\s+(?:is|are|was|were|mean|work"
    r"|do|does|happen|come|apply|differ|one|ones)\b))\b",
    re.IGNORECASE,
)


def _leans_back(text: str) -> bool:
    if not text:
        return False
    if _CONJUNCTION.match(text) or _MORE.search(text):
        return True
    return bool(_PRONOUN.search(_EXPLETIVE.sub(" ", text)))


def _completed(question: Question, before: Question | None) -> Question:
    if before is None or not question.text:
        return question
    strong = [term for term in question.terms if term.weight > 0.3]
    if not (question.leans_back or (not strong and _BEGINS_MIDWAY.match(question.text))):
        return question
    own = {term.stem for term in question.terms}
    whole_sentence = bool(_PRONOUN.search(_EXPLETIVE.sub(" ", question.text)))
    carried = [
        replace(
            term,
            weight=min(term.weight, 0.8 if term.is_name else 0.45 if whole_sentence else 0.6),
            is_carried=True,
        )
        for term in before.terms
        if term.stem not in own
    ]
    wants = question.wants
    if question.wants is Wants.ANYTHING and _CONJUNCTION.match(question.text):
        wants = before.wants
    terms = tuple([*question.terms, *carried][:MAX_TERMS])
    return replace(question, terms=terms, wants=wants, leans_back=True)


_WANTS: tuple[tuple[Wants, str], ...] = (
    (Wants.COMPARISON, r"\b(?:compare|difference|differences|differ|versus|vs|better than)\b"),
    (
        Wants.OVERVIEW,
        r"\b(?:summari[sz]e|summary|overview|digest|outline|recap|brief(?:ing)?|report on"
        r"|tell me (?:more |something )?about|what do you know about|research)\b",
    ),
    (
        Wants.TIME,
        r"\b(?:when|(?:what|which) (?:year|date|day|month|century|decade|time)|since when)\b",
    ),
    (
        Wants.NUMBER,
        r"\bhow (?:many|much|long|tall|high|big|large|old|far|deep|wide|heavy|fast|often|hot|cold"
        r"|small)\b|\bwhat (?:number|percentage|share|population|distance|speed|price|cost)\b"
        r"|\bwhat is the (?:\w+ )?(?:population|height|length|area|speed|size|number|price|cost"
        r"|distance|depth|weight|age|port|limit|timeout)\b",
    ),
    (Wants.PERSON, r"\b(?:who|whom|whose)\b|\bwhat person\b|\bwhich (?:person|people)\b"),
    (Wants.PLACE, r"\bwhere\b|\b(?:what|which) (?:place|city|country|folder|directory|region)\b"),
    (
        Wants.REASON,
        r"\bwhy\b|\bhow come\b|\bwhat (?:is|was|are) the (?:reason|cause)|\bwhat causes\b",
    ),
    (
        Wants.PROCEDURE,
        r"\bhow (?:do|does|did|can|could|should|is|are|to|was|were|would|will)\b"
        r"|\b(?:which|what) (?:command|commands|steps?)\b",
    ),
    (
        Wants.LIST,
        r"^\W*list\b|\bwhat are the (?:\w+ ){0,4}\w+s\b|\bwhich (?:\w+ ){0,2}\w+s (?:are|does|do|can|is|exist"
        r"|come|has|have)\b|\bwhat (?:kinds|types|sorts) of\b|\bname (?:the|all|some)\b",
    ),
    (
        Wants.DEFINITION,
        r"^\W*(?:(?:and|but|so|please|hi|hello)\W+)*(?:what(?:'s|’s| is| are| was| were| does)|define"
        r"|explain|describe|what do you mean by)\b",
    ),
)
_WANTS_COMPILED = tuple((wants, re.compile(pattern, re.IGNORECASE)) for wants, pattern in _WANTS)
_PERSON_BY_NAME = re.compile(r"^\W*(?:\w+\W+)?who(?:'s| is| was) (?:[A-Z]\w*\W*)+$")
_SHORT_DEFINITION = 5


def _wants(text: str) -> Wants:
    if _PERSON_BY_NAME.match(text):
        return Wants.DEFINITION
    for wants, pattern in _WANTS_COMPILED:
        if pattern.search(text):
            if wants is Wants.DEFINITION and len(_meaningful(text)) > _SHORT_DEFINITION:
                return Wants.ANYTHING
            return wants
    return Wants.ANYTHING


def _meaningful(text: str) -> list[str]:
    return [word for word, _ in placed_words(text) if word not in STOPWORDS]


_UNIMPORTANT = frozenset(
    """
    summarise summarize summary overview digest outline recap report research compare comparison
    difference differences versus vs list write check read calculate compute brief called
    work works working happen happens use uses used using exist exists main documents document docs
    wikipedia web internet online according better different
    command commands step steps tall high long big large old far deep wide heavy fast often
    kind percentage population folder directory century decade
    """.split()  # noqa: SIM905
)


def _terms(text: str, wants: Wants) -> tuple[Term, ...]:
    terms: list[Term] = []
    seen: set[str] = set()
    begins = True
    shouts = text.isupper()
    for word, place in placed_words(text):
        written = text[place : place + len(word)]
        one = stem(word)
        is_name = _is_name(text, place, written, begins)
        begins = False
        if (
            word in STOPWORDS
            and not (is_name and not shouts and written.isupper() and len(word) > 1)
        ) or (len(word) == 1 and word in "stdmlc" and not is_name):
            continue
        if one in seen:
            continue
        seen.add(one)
        light = not is_name and (word in KINDS_OF_THING or word in _UNIMPORTANT)
        terms.append(Term(written, one, 0.3 if light else 1.0, is_name))
        if len(terms) == MAX_TERMS:
            break
    return tuple(terms)


def _is_name(text: str, place: int, written: str, begins: bool) -> bool:
    if any(char.isdigit() for char in written):
        return True
    before = text[:place].rstrip(" ")[-1:]
    if before in {"`", '"', "“", "_", "-"} and before != "-":
        return True
    is_capital = written[:1].isupper()
    return is_capital and not begins and before not in {".", "!", "?", ":"}
